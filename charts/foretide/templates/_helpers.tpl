{{- define "foretide.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "foretide.fullname" -}}
{{- $name := include "foretide.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "foretide.selector" -}}
app.kubernetes.io/name: {{ include "foretide.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "foretide.labels" -}}
{{ include "foretide.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "foretide.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (printf "%s-operator" (include "foretide.fullname" .)) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "foretide.image" -}}
{{- if not .Values.image.repository -}}
{{- $fix := "build the image with the Containerfile, push it and name it" -}}
{{- fail (printf "image.repository: none given; %s, like --set image.repository=registry.example.com/foretide" $fix) -}}
{{- end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "foretide.trainer" -}}
{{- $image := .Values.training.image -}}
{{- if not $image.repository -}}
{{- fail "training.image.repository: none given; build the image with --target trainer, push it and name it" -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "foretide.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* The rules of the operator outside its own namespace: tests hold them equal to what it really asks of the API. */ -}}
{{- define "foretide.rules" -}}
- apiGroups: [autoscaling.foretide.io]
  resources: [inferenceautoscalers]
  verbs: [list, watch]
- apiGroups: [autoscaling.foretide.io]
  resources: [inferenceautoscalers/status]
  verbs: [patch]
# Readiness and starts of replicas; patch is for controller.kubernetes.io/pod-deletion-cost alone.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
# Who else scales the same target.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list]
- apiGroups: [keda.sh]
  resources: [scaledobjects]
  verbs: [list]
{{- range $group, $resources := .Values.targets }}
{{- if $resources }}
- apiGroups: [{{ $group | quote }}]
  resources:
    {{- range $resources }}
    - {{ . }}/scale
    {{- end }}
  verbs: [get, patch]
{{- end }}
{{- end }}
{{- end -}}

{{- define "foretide.sourcePort" -}}
{{- $parts := urlParse .address -}}
{{- $port := regexFind ":[0-9]+$" $parts.host | trimPrefix ":" -}}
{{- default (ternary "443" "80" (eq $parts.scheme "https")) $port -}}
{{- end -}}

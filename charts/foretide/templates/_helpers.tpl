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
{{- if .Values.sleep.enabled }}
# The readiness gate autoscaling.foretide.io/awake of pods whose engine sleeps.
- apiGroups: [""]
  resources: [pods/status]
  verbs: [patch]
{{- end }}
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
# The name of whoever else writes their replicas; no more than metadata is asked for.
- apiGroups: [{{ $group | quote }}]
  resources:
    {{- range $resources }}
    - {{ . }}
    {{- end }}
  verbs: [get]
{{- end }}
{{- end }}
{{- end -}}

{{- /* The rules of the tuner outside its own namespace; discovery is everybody's. */ -}}
{{- define "foretide.tunerRules" -}}
- apiGroups: [autoscaling.foretide.io]
  resources: [inferenceautoscalers]
  verbs: [list]
- apiGroups: [autoscaling.foretide.io]
  resources: [inferenceautoscalers/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- range $group, $resources := .Values.targets }}
{{- if $resources }}
- apiGroups: [{{ $group | quote }}]
  resources:
    {{- range $resources }}
    - {{ . }}/scale
    {{- end }}
  verbs: [get]
{{- end }}
{{- end }}
{{- range $group, $resources := .Values.tuner.knobs }}
{{- if $resources }}
- apiGroups: [{{ ternary "" $group (eq $group "core") | quote }}]
  resources: {{- toYaml $resources | nindent 4 }}
  verbs: [get, patch]
{{- end }}
{{- end }}
{{- end -}}

{{- /* Certificates and tokens of the sources, for a pod that reads them. */ -}}
{{- define "foretide.sourceVolumes" -}}
{{- range $name, $source := .Values.sources }}
{{- with $source.ca }}
- name: ca-{{ $name }}
  {{- if .configMap }}
  configMap: {name: {{ .configMap }}}
  {{- else }}
  secret: {secretName: {{ .secret }}}
  {{- end }}
{{- end }}
{{- with $source.token }}
- name: token-{{ $name }}
  secret: {secretName: {{ .secret }}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "foretide.sourcePort" -}}
{{- $parts := urlParse .address -}}
{{- $port := regexFind ":[0-9]+$" $parts.host | trimPrefix ":" -}}
{{- default (ternary "443" "80" (eq $parts.scheme "https")) $port -}}
{{- end -}}

{{- /* Whether the page can be reached from outside its pod: empty where it cannot. */ -}}
{{- define "foretide.pageOpen" -}}
{{- if and .Values.page.enabled (not (has .Values.page.bindAddress (list "127.0.0.1" "[::1]"))) }}yes{{ end -}}
{{- end -}}

"""Sixty-one bad inputs by number: what is expected of each, what happens, and the test that shows it.

`tests` are written as PATH::FUNCTION, relative to tests/, with the text that picks the case out of a table behind it in
brackets. A number without tests cannot be written here, and its `found` says why.
"""

from dataclasses import dataclass

SCHEMA = "bad_input/test_schema.py"
OPERATOR = "bad_input/test_operator.py"
CRD = "apiserver/test_crd.py::test_what_makes_no_sense_is_refused_with_its_field_and_a_way_out"
PROMETHEUS = "unit/operator/test_prometheus.py"
REFUSED = "refused by the API server"
HELD = "nothing is lowered"
NAPS = "unit/operator/test_naps.py"
WARMTH = "unit/operator/test_warmth.py"
NO_URL = "cannot be written here: a resource carries no address; it names a source, and its pattern takes no"


@dataclass(frozen=True, slots=True)
class Case:
    number: int
    given: str
    expected: str
    found: str
    tests: tuple[str, ...] = ()
    differs: bool = False
    """What happens is not what is expected."""


def _case(number: int, given: str, expected: str, found: str, *tests: str, differs: bool = False) -> Case:
    return Case(number, given, expected, found, tests, differs)


CASES = (
    _case(1, "minReplicas above maxReplicas", REFUSED, REFUSED, f"{CRD}[pools__0__minReplicas]"),
    _case(2, "`maxReplicas: 4.5`", REFUSED, REFUSED, f"{CRD}[4.5]"),
    _case(3, '`maxReplicas: "4"`', REFUSED, REFUSED, f'{CRD}[pools__0__maxReplicas": "4"]'),
    _case(4, "`maxReplicas: 1099511627776`", REFUSED, REFUSED, f"{CRD}[2**40]"),
    _case(5, "`maxReplicas: NaN`", REFUSED, f"{REFUSED} as no JSON", f"{SCHEMA}::test_no_number_is_refused[NaN]"),
    _case(6, "`maxReplicas: 1e400`", REFUSED, f"{REFUSED} as no JSON", f"{SCHEMA}::test_no_number_is_refused[1e400]"),
    _case(
        7,
        "an attainment of 1.0",
        REFUSED,
        "cannot be written here: an objective names a percentile; percentile 100 is refused",
        f'{CRD}[objective__ttft__percentile": "100"]',
    ),
    _case(8, "`threshold: -5s`", REFUSED, REFUSED, f"{CRD}[-5s]"),
    _case(9, '`threshold: "500"`', REFUSED, f"{REFUSED}, with the unit to write", f'{CRD}[threshold": "500"]'),
    _case(10, "`threshold: 1e9h`", REFUSED, REFUSED, f"{SCHEMA}::test_it_is_refused_with_its_field[1e9h]"),
    _case(11, "`model: null`", REFUSED, REFUSED, f"{SCHEMA}::test_it_is_refused_with_its_field[model]"),
    _case(
        12,
        "a role twice",
        REFUSED,
        f"{REFUSED}: one pool, or one of each role",
        "apiserver/test_crd.py::test_two_pools_of_one_role_are_refused",
    ),
    _case(13, "target `../secrets/x`", REFUSED, REFUSED, f"{CRD}[../secrets/x]"),
    _case(
        14,
        "another target for a stored resource",
        REFUSED,
        REFUSED,
        "apiserver/test_crd.py::test_a_target_cannot_be_exchanged_for_another",
    ),
    _case(
        15,
        "`file:///etc/passwd` for an address",
        REFUSED,
        f"{NO_URL} address",
        f"{SCHEMA}::test_it_is_refused_with_its_field[file:///etc/passwd]",
        "unit/operator/test_settings.py::test_an_address_that_is_no_plain_http_address_is_refused",
    ),
    _case(
        16,
        "the metadata server's address",
        REFUSED,
        f"{NO_URL} address",
        f"{SCHEMA}::test_it_is_refused_with_its_field[169.254.169.254]",
    ),
    _case(
        17,
        "`user:pw@host` in an address",
        REFUSED,
        f"{NO_URL} address; the chart and the operator refuse one in a source's address",
        f"{SCHEMA}::test_it_is_refused_with_its_field[user:pw@host]",
        "charts/test_values.py::test_a_wrong_value_is_refused_with_its_path[admin:secret]",
    ),
    _case(18, "300 KB of annotations", REFUSED, REFUSED, f"{SCHEMA}::test_annotations_of_300_kb_are_refused"),
    _case(
        19,
        "a status of a wrong type",
        REFUSED,
        REFUSED,
        "apiserver/test_crd.py::test_a_status_cannot_be_written_with_the_spec_nor_with_a_wrong_type",
    ),
    _case(
        20,
        "a field with a typing error",
        "pruned, and the operator warns",
        "refused by kubectl's usual strict validation; pruned without it, and the operator warns",
        f"{CRD}[pools__0__maxReplica]",
        "apiserver/test_crd.py::test_without_strict_validation_an_unknown_field_is_pruned_and_the_operator_warns",
    ),
    _case(
        21,
        "a JSON key twice",
        "the last one counts, within its bounds",
        "refused by strict validation; without it the last one counts, and is refused outside its bounds",
        f"{SCHEMA}::test_of_a_key_that_is_written_twice_the_last_one_counts_and_is_checked",
    ),
    _case(
        22,
        "`maxReplicas: 4.0`",
        "read as 4",
        "read as 4 by the operator; refused by the rules of the schema, to which it is no integer",
        f"{SCHEMA}::test_a_whole_number_with_a_point_is_none_to_the_rules_of_the_schema",
        differs=True,
    ),
    _case(
        23,
        "an address in decimal, hex or v4-mapped form",
        "refused as it is dialled",
        f"{NO_URL} address; whom the operator dials, its admin wrote",
        f"{SCHEMA}::test_it_is_refused_with_its_field[2852039166]",
    ),
    _case(
        24,
        "a name that resolves to a forbidden address",
        "refused as it is dialled",
        "cannot be written here: names come from the admin's settings alone; what they resolve to is not checked",
    ),
    _case(
        25,
        "a target that does not exist, or has no scale",
        "TargetNotFound, TargetNotScalable",
        "so, in conditions and events; nothing is written",
        "apiserver/test_operator.py::test_a_target_that_cannot_be_scaled_says_so",
    ),
    _case(
        26,
        "two resources for one target",
        "a conflict of the younger",
        "the older acts, the younger holds and names it",
        "unit/operator/test_conflict.py::test_of_two_of_ours_the_older_acts_and_the_younger_says_so",
    ),
    _case(
        27,
        "an HPA or a ScaledObject on the same target",
        "Conflict, holds",
        "so",
        "apiserver/test_operator.py::test_a_target_of_an_hpa_is_a_conflict_and_is_left_alone",
        "unit/operator/test_conflict.py::test_a_scaled_object_may_leave_kind_and_version_out",
    ),
    _case(
        28,
        "a target set to zero by hand",
        "holds until an annotation resumes it",
        "so; raising it by hand ends it, too",
        f"{OPERATOR}::test_28_a_count_of_zero_by_hand_stays_until_an_annotation_resumes_it",
    ),
    _case(
        29,
        "control, right-to-left and odd characters",
        "refused, or kept out of logs",
        "refused in names; blanked in status and events",
        f"{SCHEMA}::test_it_is_refused_with_its_field[u202e]",
        "unit/operator/test_status.py::test_messages_fit_the_schema_whatever_they_say",
    ),
    _case(
        30,
        "4,000 elements, a resource of 1 MB",
        REFUSED,
        f"{REFUSED}: lists and texts are bounded",
        f"{SCHEMA}::test_lists_and_texts_without_measure_are_refused",
    ),
    _case(
        31,
        "fifty edits in a second",
        "one decision",
        "one decision",
        "unit/operator/test_loop.py::test_fifty_edits_at_once_are_planned_once",
    ),
    _case(
        32,
        "a resource of another version",
        "not understood, and said so",
        "refused: v1alpha1 is the only one that is served",
        f"{SCHEMA}::test_another_version_is_not_known",
    ),
    _case(
        33,
        "an objective that no count can keep",
        "Infeasible, never the maximum for ever",
        "so; the count stays and the objective is named",
        "unit/policies/test_decide.py::test_an_objective_below_the_hardware_floor_changes_nothing_and_names_it",
    ),
    _case(
        34,
        "a target value that a gauge can never reach",
        "said, and no order",
        "cannot be written here: no threshold of a metric is declared, only latencies",
    ),
    _case(
        35,
        "PromQL in label values",
        "escaped",
        "escaped",
        "unit/operator/test_signals.py::test_whatever_a_label_value_holds_it_stays_within_its_quotes_and_matches_only_itself",
    ),
    _case(
        36,
        "Prometheus: an empty answer",
        HELD,
        HELD,
        "unit/operator/test_loop.py::test_an_empty_answer_is_blindness_and_not_idleness",
    ),
    _case(
        37,
        "Prometheus: NaN and infinities",
        HELD,
        HELD,
        "unit/operator/test_loop.py::test_impossible_values_never_lower_replicas[np.nan, np.inf]",
    ),
    _case(
        38,
        "Prometheus: a negative or a falling counter",
        HELD,
        HELD,
        "unit/operator/test_loop.py::test_impossible_values_never_lower_replicas[-1.0]",
        f"{OPERATOR}::test_38_counters_that_fall_never_lower_replicas",
    ),
    _case(
        39,
        "Prometheus: two series for one number",
        HELD,
        "counted once where a label tells replicas of Prometheus apart (`prometheus_replica`, `__replica__`)",
        f"{OPERATOR}::test_39_series_of_two_prometheus_replicas_count_once",
    ),
    _case(
        40,
        "Prometheus: samples of the future, or of six minutes ago",
        HELD,
        HELD,
        "unit/policies/test_demand.py::test_samples_from_the_future_are_invalid",
        "unit/operator/test_loop.py::test_stale_series_never_lower_replicas",
    ),
    _case(
        41,
        "Prometheus: `status: error`, 4xx, 5xx",
        HELD,
        "taken for no answer",
        f"{PROMETHEUS}::test_any_other_status_is_invalid[422]",
        f"{PROMETHEUS}::test_any_other_shape_is_invalid_and_is_not_repeated[error]",
    ),
    _case(
        42,
        "Prometheus: 200 with a page of HTML",
        HELD,
        "taken for no answer, and not repeated",
        f"{PROMETHEUS}::test_any_other_shape_is_invalid_and_is_not_repeated[<html>]",
    ),
    _case(
        43,
        "Prometheus: a body without end, or a drip",
        "cut at 1 MiB and 5 s",
        "cut at the source's limit (1 MiB unless set) and 5 s",
        f"{PROMETHEUS}::test_an_answer_without_end_is_cut",
        f"{PROMETHEUS}::test_a_source_that_drips_is_left",
    ),
    _case(
        44,
        "Prometheus: a redirect to the metadata server",
        "refused",
        "not followed",
        f"{PROMETHEUS}::test_a_redirect_is_not_followed",
    ),
    _case(
        45,
        "Prometheus: deep JSON, numbers for strings and the other way round",
        HELD,
        "taken for no answer",
        f"{PROMETHEUS}::test_any_other_shape_is_invalid_and_is_not_repeated[100_000]",
    ),
    _case(
        46,
        "Prometheus: warnings",
        "may raise, never lower",
        "so",
        f"{PROMETHEUS}::test_warnings_make_an_answer_partial",
        "unit/operator/test_loop.py::test_a_metric_source_that_fails_never_lowers_replicas[PARTIAL]",
    ),
    _case(
        47,
        "the counters of all pods reset at once",
        "the interval is dropped",
        "so; nothing is lowered",
        f"{OPERATOR}::test_47_counters_of_all_pods_reset_at_once_lower_nothing",
    ),
    _case(
        48,
        "a clock of Prometheus that is ten minutes off",
        f"{HELD}, an event",
        "behind: stale, and held; ahead: seen by the answer's Date, may raise, never lower",
        f"{OPERATOR}::test_48_a_prometheus_in_another_time_holds_and_is_told",
        f"{PROMETHEUS}::test_a_source_whose_clock_is_off_is_trusted_in_part",
    ),
    _case(
        49,
        "a unit that is wrong by a thousand",
        "bounded by what hardware can do, and said",
        "bounded by maxReplicas; a thousandth looks like little demand, and nothing tells it from that",
        f"{OPERATOR}::test_49_a_thousandfold_demand_is_bounded_by_the_maximum",
        differs=True,
    ),
    _case(
        50,
        "a forecast of a wrong shape, NaN, crossing, huge, negative, old",
        "rejected; the next best is used",
        "paths cannot cross; all else is rejected and the ladder goes on without it",
        "properties/test_forecaster_properties.py::test_calibration_and_a_hostile_tier_break_nothing_whatever_the_clock_does",
        "unit/operator/test_forecast_service.py::test_an_answer_of_another_kind_is_refused",
        "unit/forecaster/network/test_pool.py::test_one_answer_that_is_no_number_silences_that_workload_alone",
    ),
    _case(
        51,
        "an artifact: pickle, cut off, another type, huge, an unknown key",
        "refused, and said",
        "refused in one line; what served before serves on",
        f"{OPERATOR}::test_51_an_artifact_that_is_none_is_refused_in_one_line",
        "unit/operator/test_networks.py::test_a_broken_artifact_leaves_the_old_one_in_service_and_is_told_once",
    ),
    _case(
        52,
        "1, 5, 20 % of requests with outputs as long as can be",
        "bounded",
        "bounded by maxReplicas and by the rates of `behavior`, and told ([figures](benchmarks/demand-attacks.md))",
        f"{OPERATOR}::test_49_a_thousandfold_demand_is_bounded_by_the_maximum",
        "unit/operator/test_loop.py::test_answers_without_end_are_told_and_can_be_kept_from_the_forecast",
    ),
    _case(
        53,
        "a tenant that reports nothing, or another's namespace",
        "its own namespace only",
        "its own pods only; who may forge labels of the scraping may forge everything",
        "unit/operator/test_signals.py::test_another_namespace_with_the_same_pod_name_is_another_pod",
        "unit/operator/test_reading.py::test_pods_of_another_target_are_not_ours",
    ),
    _case(
        54,
        "values of the chart: an unknown key, a wrong type",
        "refused by their schema",
        "refused with their path",
        "charts/test_values.py::test_a_wrong_value_is_refused_with_its_path[operatr]",
    ),
    _case(
        55,
        "the chart twice in a cluster",
        "the second is refused",
        "refused by the owner of the cluster role",
        "charts/test_install.py::test_a_second_installation_over_the_same_targets_is_refused",
    ),
    _case(
        56,
        "a thousand resources deleted and made anew",
        "no workload is touched, at most 20 writes/s",
        "no workload is touched; one status each, at 20 writes/s (`--writes-per-second`)",
        f"{OPERATOR}::test_56_a_thousand_resources_made_anew_touch_no_workload_and_are_told_at_twenty_a_second",
    ),
    _case(
        57,
        "a tier without a way back: sleeping without a port, pods without the readiness gate",
        "refused, or told and not entered",
        "refused without a port; without the gate TiersAvailable is False with the fix, and nobody sleeps",
        "unit/operator/test_warm.py::test_contradictions_are_told_with_their_fix[no wake path]",
        f"{NAPS}::test_a_tier_without_a_wake_path_is_never_entered",
    ),
    _case(
        58,
        "a placeholder class with a priority of 0 or more",
        "told; the node is let go",
        "TiersAvailable is False with the fix, the placeholder goes, and the plan does without the tier",
        "unit/operator/test_placeholders.py::test_a_placeholder_class_with_too_high_a_priority_is_told_and_holds_nothing",
    ),
    _case(
        59,
        "a sleep endpoint that answers errors, or nothing",
        "bounded tries, then the next tier",
        "asked three times, told, and the pod serves on; ten minutes without sleep",
        f"{NAPS}::test_a_sleep_endpoint_that_answers_errors_is_asked_three_times_and_then_done_without",
        f"{WARMTH}::test_a_sleep_endpoint_that_fails_leaves_the_replica_ready_and_is_told",
        "unit/operator/test_engine_sleep.py::test_any_other_answer_is_an_error_in_one_line",
    ),
    _case(
        60,
        "a sleep endpoint that says that it sleeps, and does not",
        "found out, then the next tier",
        "it is asked again whether it sleeps; after three lies it serves on, and that is told",
        f"{NAPS}::test_a_sleep_endpoint_that_lies_is_found_out_and_the_pod_serves_on",
    ),
    _case(
        61,
        "a wake that never ends",
        "bounded, and requests keep a path",
        "given up after 30 s or ten times its declared time; a fresh replica is started, then the lost one goes",
        f"{NAPS}::test_a_wake_that_never_ends_is_given_up_in_its_time_and_the_pod_is_told_lost",
        f"{WARMTH}::test_a_replica_that_does_not_wake_is_replaced_and_no_request_is_left_without_a_path",
        "unit/policies/warm/test_nap.py::test_requests_are_never_left_to_replicas_that_did_not_wake",
    ),
)

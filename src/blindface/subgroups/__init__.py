"""The paper's critical issues, measured: metrics by group of images, with counts and intervals.

`reports/subgroups.csv`, one row per group, method and metric:

| column | unit | meaning |
|---|---|---|
| issue, kind, group | | the paper's issue (a to f; `strength`; `all`), the way of grouping, the group |
| objective | | where only methods that saw this objective's blind images are grouped so |
| source | | where the group of an image comes from, always named |
| method, metric | | as in `data/scores/<method>.parquet` |
| n, people | images, folders | images of the group that have a value, and from how many people's folders they come |
| mean, low, high | the metric's | mean and bounds of its 95 % bootstrap interval |
| gain, gain_low, gain_high | the metric's | the same of the difference to each image's own blind input |
| small | | whether n is below `subgroups.small` |

`reports/subgroups.json` says what each kind is, why one has no groups, and how to read the table.
"""

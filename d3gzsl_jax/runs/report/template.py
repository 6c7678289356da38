"""The frame of a run's report: HTML that fetches nothing and reads in light, in dark, on a narrow screen and on paper."""

from string import Template

# The policy keeps a browser from fetching anything, whatever a name in the page holds. Plots stay on white in the dark, too.
PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>$title</title>
<style>
:root { --ink: #1c1e21; --soft: #5c636b; --page: #f5f6f7; --card: #fff; --line: #dfe2e6; --warn: #fff3d6; --main: #0b5c93 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --soft: #a2a9b1; --page: #15181b; --card: #1f2327; --line: #373d43; --warn: #453717; --main: #7cc0f0 }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif }
header, section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.25rem;
  margin: 0 0 1rem }
h1, h2, h3, p, dl, figure { margin: 0 0 .6rem } h1 { font-size: 1.7rem; line-height: 1.2 } h2 { font-size: 1.15rem }
h3 { font-size: 1rem; font-weight: 500 } .over, .note, figcaption, dt, summary, th, .muted { color: var(--soft) }
.over { margin: 0 } .note, figcaption, dl, table { font-size: .9rem }
.numbers { display: flex; gap: .5rem; margin: .9rem 0 .4rem }
.number { border: 1px solid var(--line); border-radius: .5rem; padding: .3rem .2rem; flex: 0 1 6rem; text-align: center }
.number b { display: block; font-size: 1.6rem; font-variant-numeric: tabular-nums } .number span { color: var(--soft) }
.main { border: 2px solid var(--main) } .main b { color: var(--main) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem } dd { margin: 0; overflow-wrap: anywhere }
.scroll, .plot { overflow-x: auto } table { border-collapse: collapse; margin: 0 0 .6rem }
th, td { text-align: left; padding: .2rem 1.1rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
th { font-weight: 500 } .n { font-variant-numeric: tabular-nums; text-align: right } tr.muted td { font-size: .82rem }
.plot { background: #fff; border-radius: .4rem; padding: .5rem; margin: 0 0 .5rem }
img { display: block; margin: 0 auto; height: auto; max-width: max(100%, 35rem) }
.pair { display: flex; flex-wrap: wrap; gap: 0 3rem } .warnings { background: var(--warn) }
ul { margin: 0; padding-left: 1.2rem } summary { cursor: pointer; margin: .3rem 0 }
@media (max-width: 40rem) { img { width: 35rem } figcaption::before { content: "Swipe the plot sideways. " } }
@media print { body { max-width: none; padding: 0; background: #fff } header, section { border: 0; padding: 0 }
  section, figure, tr { break-inside: avoid } }
</style>
</head>
<body>
$body
</body>
</html>
""")
"""Fields: title, escaped, and body, HTML."""

/** The dashboard and the alert rules use only metrics that the program exports. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { METRICS, type MetricName } from '../../src/app/metrics/declared.ts'
import { registryOf } from '../../src/app/metrics/open-metrics.ts'
import { readExposition } from '../support/exposition.ts'

const FOLDER = path.join(import.meta.dirname, '../../docs/grafana')
type Panel = { type: string; title: string; datasource?: unknown; targets?: { expr: string; datasource: unknown }[] }
type Dashboard = { uid: string; panels: Panel[]; templating: { list: { name: string; definition?: string }[] } }
type Rules = { groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[] }

const dashboard = JSON.parse(readFileSync(path.join(FOLDER, 'sluice.json'), 'utf8')) as Dashboard
const rules = (parse(readFileSync(path.join(FOLDER, 'alerts.yml'), 'utf8')) as Rules).groups.flatMap((one) => one.rules)
const drawn = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
const asked = [
  ...drawn,
  ...dashboard.templating.list.flatMap(({ definition = [] }) => definition),
  ...rules.map(({ expr }) => expr),
]

test('every metric is exported by the program, with these labels', async () => {
  const known = new Set(readExposition(await registryOf(() => []).metrics()).keys())
  const named = asked.flatMap((expr) => expr.match(/\b(?:sluice|process|nodejs)_[a-z0-9_]+\b/g) ?? [])
  expect(named.length).toBeGreaterThan(60)
  expect([...new Set(named)].filter((name) => !known.has(name))).toEqual([])
  for (const expr of asked) {
    for (const [, name = '', selector = ''] of expr.matchAll(/\b(sluice_[a-z_]+)\{([^}]*)\}/g)) {
      const labels: readonly string[] = METRICS[name as MetricName].labels
      const chosen = [...selector.matchAll(/(\w+)(?:=~|!=|=)"/g)].map(([, label]) => label)
      expect([expr, chosen.filter((label) => !labels.includes(label ?? ''))]).toEqual([expr, []])
    }
  }
})

test('only counters are in rate() and increase(), and brackets are balanced', () => {
  for (const expr of asked) {
    for (const [, name = ''] of expr.matchAll(/(?:rate|increase)\((\w+)/g))
      expect([expr, name]).toEqual([expr, expect.stringMatching(/_total$/)])
    const open = expr.split('(').length
    expect([expr, open]).toEqual([expr, expr.split(')').length])
  }
})

test('panels use the selected data source, and there are rows for runs, lag, workers and alerts', () => {
  for (const { type, title, datasource, targets = [] } of dashboard.panels) {
    if (type === 'row') continue
    const chosen = { type: 'prometheus', uid: '${datasource}' }
    expect([
      title,
      datasource,
      targets.every((one) => JSON.stringify(one.datasource) === JSON.stringify(chosen)),
    ]).toEqual([title, chosen, true])
  }
  const rows = dashboard.panels.flatMap(({ type, title }) => (type === 'row' ? [title] : []))
  expect(rows).toEqual(expect.arrayContaining(['Runs', 'Streams that follow', 'Workers', 'Alerts']))
})

test('summaries of rules use labels of their metrics', () => {
  for (const { alert, expr, annotations } of rules) {
    const labels = [...annotations.summary.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label)
    const [metric = ''] = expr.match(/\bsluice_[a-z_]+\b/) ?? []
    const known: readonly string[] = [
      'instance',
      'job',
      // `up` is a metric of Prometheus itself.
      ...(metric === '' ? [] : METRICS[metric as MetricName].labels),
    ]
    expect([alert, labels.filter((label) => !known.includes(label))]).toEqual([alert, []])
  }
})

test('a lost worker raises an alert that does not depend on its own metrics', () => {
  const expressions = rules.map(({ expr }) => expr)
  for (const wanted of [
    /^absent\(sluice_worker_info\)/,
    /^up\{[^}]*\} == 0/,
    /sluice_queue_workers\{state="lost"\}\) > \(max\(.* offset 10m\) or vector\(0\)\)/,
  ])
    expect(expressions).toContainEqual(expect.stringMatching(wanted))
})

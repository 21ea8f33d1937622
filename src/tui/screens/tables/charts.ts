/** Small panels of the detail pane: commits per day, file sizes, largest partitions. */
import type { Overview } from '../../../model/lake/answers.ts'
import { bar, sparkline } from '../../draw/bars.ts'
import { bytes, shownCount } from '../../../render/screen-format.ts'
import { line, rule, span, type Line } from '../../draw/line.ts'
import { cutMiddle, padEnd, width } from '../../../render/screen-text.ts'
import { failure, dataIdentity, knownValue } from '../../state/selectors.ts'
import type { State } from '../../state/state.ts'

/** Commits per day over the last 8 weeks; empty if the catalog does not have them. */
export function commitsChart(overview: Overview | null, cells: number, ascii: boolean): Line[] {
  const days = overview?.commitsPerDay
  if (days === null || days === undefined || days.length === 0) return []
  const weeks = Math.round(days.length / 7)
  return [
    rule(`commits a day, ${weeks} weeks`, cells),
    [
      span(` ${sparkline(days, Math.max(1, cells - 6), ascii)} `, 'info'),
      span(shownCount(days.at(-1) ?? null)),
      span(cells >= days.length + 13 ? ' today' : '', 'muted'),
    ],
  ]
}

/** Files by size class. */
export function sizesChart(overview: Overview | null, cells: number, ascii: boolean): Line[] {
  const sizes = overview?.fileSizes
  if (sizes === null || sizes === undefined || sizes.length === 0) return []
  const top = Math.max(0, ...sizes.map((s) => s.files))
  const barCells = Math.max(6, Math.min(24, cells - 40))
  return [
    rule('file size', cells),
    ...sizes.map((s): Line => [
      span(` ${padEnd(s.label, 10)}`),
      span(padEnd(bar(top === 0 ? 0 : s.files / top, barCells, ascii), barCells), 'info'),
      span(shownCount(s.files).padStart(11)),
    ]),
  ]
}

/** `2024/11`: the values of a partition. */
export function partitionValuesName(values: Readonly<Record<string, string | null>>): string {
  return Object.values(values)
    .map((v) => v ?? 'null')
    .join('/')
}

/** The four partitions with the most bytes; empty if not all partitions are loaded. */
export function partitionsChart(state: State, cells: number): Line[] {
  const identity = dataIdentity(state, 'largest')
  const page = knownValue(state, 'largest', identity)
  if (page === null || failure(state, 'largest', identity) !== null) return []
  const named = page.rows.filter((p) => Object.keys(p.values).length > 0)
  if (named.length === 0 || page.total > page.rows.length) return []
  const rows = named.toSorted((a, b) => b.bytes - a.bytes).slice(0, 4)
  const top = rows[0]?.bytes ?? 0
  const name = Math.min(24, Math.max(...rows.map((p) => width(partitionValuesName(p.values)))))
  const barCells = Math.max(6, Math.min(24, cells - name - 16))
  return [
    rule('largest partitions', cells),
    ...rows.map((p): Line => [
      span(` ${padEnd(cutMiddle(partitionValuesName(p.values), name), name)}  `),
      span(padEnd(bar(top === 0 ? 0 : p.bytes / top, barCells, state.ascii), barCells), 'info'),
      span(bytes(p.bytes).padStart(10)),
    ]),
  ]
}

/** Panels below each other, with an empty row after each. */
export function stacked(panels: readonly (readonly Line[])[]): Line[] {
  return panels.filter((p) => p.length > 0).flatMap((p) => [...p, line()])
}

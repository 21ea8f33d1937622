/** Token ring of a Cassandra table: a bar for each part, the fullest and the emptiest range, and the hosts. */
import { ringGroups } from '../../../model/copy/ring-groups.ts'
import type { RingEvent, RingHostEvent } from '../../../model/run/event.ts'
import { bar } from '../../draw/bars.ts'
import { bytes, shownCount, amount } from '../../../render/screen-format.ts'
import { line, span, type Line, type Picture } from '../../draw/line.ts'
import { clean, padEnd, wrap } from '../../../render/screen-text.ts'
import type { RingShown } from './ring-shown.ts'

/** Maximum number of bars; with more parts, several parts share a bar. */
const LINES = 16
const ROWS = 14
const SIZE = 10
const TOKEN = 20
const LEAST_BAR = 6
const MOST_BAR = 40

/** Column widths for a line that is `cells` wide; drops the size column first, so that the bar keeps its minimum. */
function widths(cells: number): { readonly token: number; readonly size: number; readonly bar: number } {
  const rest = cells - TOKEN - ROWS - 2
  const size = rest - SIZE >= LEAST_BAR ? SIZE : 0
  return { token: TOKEN, size, bar: Math.max(LEAST_BAR, Math.min(MOST_BAR, rest - size)) }
}

const about = (exact: boolean, n: number): string => `${exact ? '' : '~'}${shownCount(n)}`

/** The ring in lines of `cells` cells. */
export function drawRing(shown: RingShown, cells: number, ascii: boolean): Picture {
  const { ring, parts, hosts, error } = shown
  if (error !== null) return ['ring', line(clean(`${error.code} ${error.message}`), 'bad')]
  if (ring === null) return ['ring', line('reading some of it …', 'muted')]
  const groups = ringGroups(parts, LINES)
  const top = Math.max(1, ...groups.map(({ rows }) => rows))
  const wide = widths(cells)
  const row = (token: string, rows: string, size: string): string =>
    token.padStart(wide.token) + rows.padStart(ROWS) + (wide.size === 0 ? '' : size.padStart(wide.size)) + '  '
  const facts = [...notableRanges(ring), ...hosts.map((host) => hostText(host, ring.exact))]
  return [
    `ring: ${about(ring.exact, Number(ring.rows))} rows in ${about(ring.exact, Number(ring.partitions))} partitions`,
    ...wrap(skewText(ring), cells).map((text) => line(text)),
    line(row('FROM TOKEN', 'ROWS', 'SIZE'), 'muted'),
    ...groups.map(({ from, rows, bytes: size, exact }): Line => [
      span(row(from, about(exact, rows), bytes(size))),
      span(padEnd(bar(rows / top, wide.bar, ascii), wide.bar), 'info'),
    ]),
    [],
    ...facts.flatMap((fact) => wrap(clean(fact), cells).map((text) => line(text))),
  ]
}

const skewText = ({ skew, parts }: RingEvent): string =>
  `skew ${skew.toFixed(2)}×: rows of the fullest of ${amount(Number(parts), 'part')} over those of an average one`

function notableRanges(ring: RingEvent): readonly string[] {
  const [fullest] = ring.largest
  const [emptiest] = ring.emptiest
  const part = (one: RingEvent['largest'][number]): string =>
    `${about(ring.exact, Number(one.rows))} rows from token ${one.from}`
  const { fullest: partition } = ring
  return [
    ...(fullest === undefined ? [] : [`fullest ${part(fullest)}`]),
    ...(emptiest === undefined ? [] : [`emptiest ${part(emptiest)}`]),
    ...(partition === undefined
      ? []
      : [
          `largest partition seen (${partition.key.join(', ')}): ${partition.more ? 'more than ' : ''}${amount(Number(partition.rows), 'row')}, ${bytes(Number(partition.bytes))}`,
        ]),
    ...(ring.server === undefined
      ? []
      : [
          `the servers estimate ${amount(Number(ring.server.partitions), 'partition')}, ${bytes(Number(ring.server.bytes))}`,
        ]),
  ]
}

function hostText({ host, datacenter, up, ranges, share, rows }: RingHostEvent, exact: boolean): string {
  const percent = Math.round(share * 1000) / 10
  return `${host} ${datacenter}${up ? '' : ' down'}: ${amount(Number(ranges), 'range')}, holds ${percent} % of the ring, ${about(exact, Number(rows))} rows`
}

/** The ring of a table as lines: a bar for the rows in each part, and the fullest and emptiest parts. */
import { ringGroups } from '../model/copy/ring-groups.ts'
import type { Event, RingEvent, RingHostEvent, RingPartEvent } from '../model/run/event.ts'
import { sizeText, factorText, grouped, plural } from '../shared/figures.ts'
import { visible } from '../shared/visible.ts'
import { pad } from './cells.ts'

/** Lines of one picture; with more parts, several share a line. */
const LINES = 32
const BAR = 24
const LABEL = 10

export class RingLines {
  #parts: RingPartEvent[] = []
  #hosts: RingHostEvent[] = []
  notified = false

  /**
   * Lines of an event, each with its line end; '' for parts and hosts, which are printed with their ring; null for
   * other events.
   */
  lines(event: Event): string | null {
    if (event.type === 'ring.part') this.#parts.push(event)
    else if (event.type === 'ring.host') this.#hosts.push(event)
    else if (event.type === 'ring') return this.#picture(event)
    else return null
    return ''
  }

  #picture(ring: RingEvent): string {
    const lines = [...(this.notified ? [''] : []), ...picture(ring, this.#parts, this.#hosts)]
    this.notified = true
    this.#parts = []
    this.#hosts = []
    return lines.map((line) => `${line.trimEnd()}\n`).join('')
  }
}

function picture(ring: RingEvent, parts: readonly RingPartEvent[], hosts: readonly RingHostEvent[]): readonly string[] {
  const about = ring.exact ? '' : '~'
  const groups = ringGroups(parts, LINES)
  const top = Math.max(1, ...groups.map(({ rows }) => rows))
  const fact = (label: string, text: string): string => `${label.padEnd(LABEL)}  ${text}`
  return [
    `${visible(ring.table)}: ${about}${plural(ring.rows, 'row')} in ${about}${plural(ring.partitions, 'partition')}, ${about}${sizeText(ring.bytes)}`,
    `${pad('FROM TOKEN', widest(groups.map(({ from }) => from)), 'right')}  ${'ROWS'.padStart(15)}  ${'SIZE'.padStart(10)}`,
    ...groups.map(({ from, rows, bytes, exact }) =>
      [
        pad(from, widest(groups.map((group) => group.from)), 'right'),
        `${exact ? '' : '~'}${grouped(rows)}`.padStart(15),
        (rows === 0 ? '-' : sizeText(bytes)).padStart(10),
        bar(rows / top),
      ].join('  '),
    ),
    fact('ring', `${ring.partitioner}, ${plural(ring.parts, 'part')}${shared(groups[0]?.parts ?? 1)}`),
    fact('skew', `${factorText(ring.skew)}: rows of the fullest part, relative to an average part`),
    ...ring.largest.map((part, i) => fact(i === 0 ? 'fullest' : '', partText(part, about))),
    ...ring.emptiest.map((part, i) => fact(i === 0 ? 'emptiest' : '', partText(part, about))),
    ...(ring.fullest === undefined ? [] : [fact('partition', partitionText(ring.fullest))]),
    ...hosts.map((host, i) => fact(i === 0 ? 'hosts' : '', hostText(host, about))),
    ...(ring.server === undefined
      ? []
      : [
          fact(
            'servers',
            `estimate ${plural(ring.server.partitions, 'partition')} and ${sizeText(ring.server.bytes)} (system.size_estimates)`,
          ),
        ]),
    fact(
      'read',
      `${plural(ring.seen, 'row')}${ring.exact ? ', all there are' : ': figures after ~ are derived from them'}`,
    ),
  ]
}

const widest = (texts: readonly string[]): number => Math.max(10, ...texts.map((text) => text.length))

const bar = (share: number): string => '#'.repeat(share > 0 ? Math.max(1, Math.round(share * BAR)) : 0)

const shared = (each: number): string => (each === 1 ? '' : `, ${each} of them in a line`)

function partText({ from, to, rows, bytes }: RingEvent['largest'][number], about: string): string {
  return `${about}${plural(rows, 'row')}, ${sizeText(bytes)} in ${from} to ${to}`
}

function partitionText({ key, rows, bytes, more }: NonNullable<RingEvent['fullest']>): string {
  const size = `${plural(rows, 'row')}, ${sizeText(bytes)}`
  return `the fullest that was seen is (${visible(key.join(', '))}): ${more ? `more than ${size}` : size}`
}

function hostText({ host, datacenter, rack, up, ranges, share, rows, bytes }: RingHostEvent, about: string): string {
  const place = [datacenter, rack].filter((word) => word !== '').join('/')
  const state = up ? '' : ', down'
  return `${host} (${place})${state}: ${plural(ranges, 'range')} of its own, holds ${Math.round(share * 1000) / 10} % of the ring, ${about}${plural(rows, 'row')}, ${sizeText(bytes)}`
}

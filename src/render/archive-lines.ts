/** Archive events as lines: due partitions, results of each partition, and speed. */
import { archivedByText } from '../model/archive/partitioning-text.ts'
import type { ArchiveState } from '../model/archive/state.ts'
import type { Event, EventOf } from '../model/run/event.ts'
import { ArchivePace, archivePaceText } from './archive-pace.ts'
import { errorDetails, type Block, type LinesOptions, type MakeBlock, type LineWord } from './block.ts'
import { sizeText, durationText, factorText, grouped, plural, timeText } from '../shared/figures.ts'
import { visible } from '../shared/visible.ts'
import { pad } from './cells.ts'

/** Number of planned partitions that are printed; further ones are only counted, and `--dry-run` lists all of them. */
const MOST_LINES = 20
const PROGRESS_EVERY_MS = 10_000
const STATE_CELLS = 9

/** States that are reported only with `--verbose`. */
const VERBOSE_STATES: ReadonlySet<ArchiveState> = new Set<ArchiveState>(['PLANNED', 'EXPORTING'])
const NOT_PRINTED: Readonly<Record<string, string>> = {
  later: 'not old enough',
  unnamed: 'not named',
  done: 'archived already',
  restored: 'restored',
  held: 'held',
}

export class ArchiveLines {
  readonly #options: LinesOptions
  readonly #pace = new ArchivePace()
  readonly #tables = new Set<string>()
  readonly #byValue = new Set<string>()
  readonly #notPrinted = new Map<string, number>()
  #planned = 0
  #lastProgress: number | null = null

  constructor(options: LinesOptions) {
    this.#options = options
  }

  /** Blocks of an event of any kind; empty for events of other operations. */
  event(event: Event, at: number, block: MakeBlock): readonly Block[] {
    this.#pace.event(event, at)
    switch (event.type) {
      case 'archive.columns':
        this.#tables.add(event.table)
        return this.#options.dryRun ? [] : this.#columns(event, block)
      case 'archive.planned':
        this.#tables.add(event.table)
        return this.#options.dryRun ? [] : this.#plan(event, block)
      case 'archive.forecast':
        this.#tables.add(event.table)
        return [...this.#notPrintedBlocks(block), block('plan', forecastText(event), { table: event.table })]
      case 'archive.progress':
        return this.#progress(event, at, block)
      case 'archive.state':
        return [...this.#notPrintedBlocks(block), ...this.#state(event, block)]
      case 'archive.destroyed':
        return [block('ok', `destroyed ${visible(event.path)}  ${sizeText(event.bytes)}  sha256 ${event.sha256}`)]
      case 'query.sources':
        return [block('note', sourcesText(event))]
      case 'run.finished':
        return this.#notPrintedBlocks(block)
      default:
        return []
    }
  }

  #columns({ table, archive, columns, ...cut }: EventOf<'archive.columns'>, block: MakeBlock): readonly Block[] {
    if (cut.byValue !== undefined) this.#byValue.add(table)
    const noted = columns.filter(({ note }) => note !== undefined)
    const shown = this.#options.verbose ? noted : noted.slice(0, MOST_LINES)
    const more = noted.length - shown.length
    return [
      block(
        'plan',
        `${visible(table)} -> ${visible(archive)}, ${visible(archivedByText(cut))}, ${plural(columns.length, 'column')}`,
        {
          table,
          details: [
            ...shown.map(
              ({ column, source, stored, note = '' }, index) =>
                [index === 0 ? 'stored' : '', `${visible(column)}  ${source} -> ${stored}  ${note}`] as const,
            ),
            ...(more === 0 ? [] : [['', `and ${plural(more, 'column')} more; --verbose shows all`] as const]),
          ],
        },
      ),
    ]
  }

  #plan(event: EventOf<'archive.planned'>, block: MakeBlock): readonly Block[] {
    const { table, status, note } = event
    if (NOT_PRINTED[status] !== undefined && !this.#options.verbose) {
      // A partition by value has no age, so it cannot be too young: count it as not named.
      this.#count(status === 'later' && this.#byValue.has(table) ? 'unnamed' : status)
      return []
    }
    this.#planned += 1
    if (this.#planned > MOST_LINES && !this.#options.verbose) {
      this.#count('more')
      return []
    }
    const facts = [
      ...(status === 'due' ? [] : [STATUS[status] + (event.state === undefined ? '' : ` (${event.state})`)]),
      boundsText(event),
      ...(event.rows === '0' ? [] : [`${event.estimated ? 'about ' : ''}${plural(event.rows, 'row')}`]),
      ...(event.bytes === '0' ? [] : [sizeText(event.bytes)]),
      ...(event.estimatedMs === undefined ? [] : [`about ${durationText(event.estimatedMs)}`]),
      ...(note === undefined ? [] : [note]),
    ].filter((fact) => fact !== '')
    const word: LineWord = status === 'blocked' ? 'refused' : NOT_PRINTED[status] === undefined ? 'plan' : 'note'
    return [block(word, this.#subject(event) + facts.join('  '), { table, problem: status === 'blocked' })]
  }

  #state(event: EventOf<'archive.state'>, block: MakeBlock): readonly Block[] {
    const { table, state, error } = event
    this.#tables.add(table)
    if (error !== undefined) {
      this.#options.onReported(`${error.code} ${error.message}`)
      const text = `${this.#subject(event)}${error.code} ${error.message}`
      return [block('FAILED', text, { table, details: errorDetails(error), code: error.code, problem: true })]
    }
    if (VERBOSE_STATES.has(state) && !this.#options.verbose) return []
    const word: LineWord = state === 'FAILED' ? 'FAILED' : state === 'VERIFIED' ? 'proved' : 'ok'
    const facts = [pad(state.toLowerCase(), STATE_CELLS), ...stateFacts(event), durationText(event.ms)].join('  ')
    return [block(word, this.#subject(event) + facts, { table, problem: state === 'FAILED' })]
  }

  #progress(event: EventOf<'archive.progress'>, at: number, block: MakeBlock): readonly Block[] {
    this.#lastProgress ??= at
    if (at - this.#lastProgress < PROGRESS_EVERY_MS) return this.#notPrintedBlocks(block)
    this.#lastProgress = at
    return [...this.#notPrintedBlocks(block), block('at', this.#subject(event) + archivePaceText(this.#pace.of(event)))]
  }

  /** Counts of the partitions that were not printed, after the lines of the plan. */
  #notPrintedBlocks(block: MakeBlock): readonly Block[] {
    if (this.#notPrinted.size === 0) return []
    const { more = 0, ...others } = Object.fromEntries(this.#notPrinted)
    this.#notPrinted.clear()
    const counts = Object.entries(others).map(([status, count]) => `${grouped(count)} ${NOT_PRINTED[status] ?? status}`)
    return [
      ...(more === 0 ? [] : [block('note', `and ${plural(more, 'partition')} more; --verbose or --dry-run shows all`)]),
      ...(counts.length === 0 ? [] : [block('note', `of other partitions ${counts.join(', ')}`)]),
    ]
  }

  #count(status: string): void {
    this.#notPrinted.set(status, (this.#notPrinted.get(status) ?? 0) + 1)
  }

  /** Names the partition, and its table if there are several. */
  #subject({ table, partition }: { readonly table: string; readonly partition: string }): string {
    return this.#options.subjects.pad(this.#tables.size < 2 ? partition : `${table} ${partition}`)
  }
}

const STATUS: Readonly<Record<EventOf<'archive.planned'>['status'], string>> = {
  due: 'due',
  resume: 'resumes',
  drop: 'will be dropped',
  done: 'archived already',
  later: 'not old enough',
  restored: 'restored',
  held: 'held',
  blocked: 'blocked',
}

/** `3 partitions to archive  about 24,691,356 rows  about 2.4 GB -> 420 MB (5.7x), estimated from 5 partitions`. */
export function forecastText(event: EventOf<'archive.forecast'>): string {
  const { partitions, drops, rows, estimated, sourceBytes, bytes, ms, workers, from } = event
  const sizes = printedSizes(sourceBytes, bytes)
  const side = workers > 1 ? ` one after the other; this run processes ${workers} in parallel` : ''
  const facts = [
    ...(partitions === '0' ? [] : [`${plural(partitions, 'partition')} to archive`]),
    ...(drops === '0' ? [] : [`${plural(drops, 'partition')} to drop`]),
    ...(rows === '0' ? [] : [`${estimated ? 'about ' : ''}${plural(rows, 'row')}`]),
    ...(sizes === '' ? [] : [`about ${sizes}`]),
    ...(ms === undefined ? [] : [`about ${durationText(ms)}${side}`]),
  ].join('  ')
  if (partitions === '0') return facts
  return sizes === ''
    ? `${facts}; sizes and time can be estimated after a partition was archived`
    : `${facts}, estimated from ${plural(from, 'partition')}`
}

/** `2020-04-01 .. 2020-07-01`, the upper bound exclusive; empty if both are open. */
export function boundsText({ from, to }: { readonly from?: string; readonly to?: string }): string {
  if (from === undefined && to === undefined) return ''
  return `${visible(from ?? '')} .. ${visible(to ?? '')}`.trim()
}

/** `1.2 GB -> 210 MB (5.7x)`. */
export function printedSizes(source: string | undefined, stored: string | undefined): string {
  if (stored === undefined || stored === '0') return ''
  if (source === undefined || source === '0') return sizeText(stored)
  return `${sizeText(source)} -> ${sizeText(stored)} (${factorText(Number(source) / Number(stored))})`
}

function stateFacts(event: EventOf<'archive.state'>): readonly string[] {
  const { state, rows, files, version, dropAfter } = event
  const proven = state === 'EXPORTED' || state === 'VERIFIED'
  const facts = [
    rows === undefined || state === 'PUBLISHED' || state === 'DETACHING' || state === 'DETACHED'
      ? ''
      : `${grouped(rows).padStart(13)} ${rows === '1' ? 'row ' : 'rows'}`,
    proven ? printedSizes(event.sourceBytes, event.bytes) : '',
    files === undefined || state === 'VERIFIED' || state === 'DETACHING' || state === 'DETACHED'
      ? ''
      : plural(files, 'file'),
    version === undefined || state !== 'PUBLISHED' ? '' : `v${version}`,
    dropAfter === undefined || state !== 'DETACHED' ? '' : `may be dropped from ${timeText(dropAfter)} UTC`,
  ]
  return facts.filter((fact) => fact !== '')
}

function sourcesText(event: EventOf<'query.sources'>): string {
  const {
    table,
    partitions,
    files,
    verified,
    unchecked = '0',
    zone,
    hotRows,
    hotColumns,
    leftOut = '0',
    moved = '0',
    asTexts = [],
    byBytes = [],
    notLooked: notInspected = [],
  } = event
  const hot =
    hotRows === '0'
      ? 'no rows of the database'
      : `${plural(hotRows, 'row')} of the database (${plural(hotColumns.length, 'column')})`
  const out = `${grouped(leftOut)} of them left out because the archive has their key; their values were not compared`
  const hashed = verified === undefined ? '' : ` (${verified === '1' ? 'its' : 'their'} sha256 as proved)`
  const bytes =
    unchecked === '0'
      ? ''
      : unchecked === files.read
        ? ' (bytes not checked)'
        : ` (bytes of ${grouped(unchecked)} not checked)`
  const away = `${grouped(moved)} of them left out because the archive has their key in a detached period from which they were moved`
  const more = [
    ...(leftOut === '0' ? [] : [out]),
    ...(moved === '0' ? [] : [away]),
    ...(asTexts.length === 0
      ? []
      : [
          `compared and ordered as texts, unlike in the database: ${visible(asTexts.join(', '))}; use CAST to name the type`,
        ]),
    ...(byBytes.length === 0
      ? []
      : [`compared by bytes, but the database uses a collation or pads texts: ${visible(byBytes.join(', '))}`]),
    ...notInspected.map((what) => `not inspected: ${visible(what)}`),
  ]
  return `${visible(table)}: ${grouped(partitions.read)} of ${plural(partitions.of, 'archived partition')}, ${grouped(files.read)} of ${plural(files.of, 'file')}${hashed}${bytes}, ${hot}${more.map((one) => `; ${one}`).join('')}; times in ${zone}`
}

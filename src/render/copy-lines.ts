/** A copy as lines: its plan, what is done already, throttling, quarantined rows, and proofs. */
import { ChunkLines, releasedText } from './chunk-lines.ts'
import { dependencyLines } from '../model/copy/dependencies.ts'
import type { CopyAgain, CopyPlanLine, CopyTally, LookDifferenceEvent, EventOf } from '../model/run/event.ts'
import { errorDetails, withoutReported, type Block, type LinesOptions, type MakeBlock } from './block.ts'
import { typeMap } from './copy-listings.ts'
import { objectReported, plannedObjects } from './object-lines.ts'
import { namedRowKeyText } from './row-key.ts'
import { tableSteered } from './steering-lines.ts'
import { sizeText, durationText, grouped, plural } from '../shared/figures.ts'

/** Number of lines of one kind that are printed; further ones are only counted, and JSON lines have all of them. */
const MOST_LINES = 20
/** Number of columns of a new table that are listed, if at most `MOST_MAPS` tables are copied. */
const MOST_COLUMNS = 40
const MOST_MAPS = 3

const EXISTING: Readonly<Record<string, string>> = {
  upsert: 'rows of equal key are overwritten',
  'replace-range': 'all rows of the target are removed, those in the range of a chunk before it is written',
  append: 'rows are added to the existing ones',
}

export class CopyLines {
  readonly #options: LinesOptions
  readonly #plans = new Map<string, CopyPlanLine>()
  readonly #keys = new Map<string, readonly string[]>()
  /** Number of key columns that name the partition, by table. */
  readonly #partitions = new Map<string, number>()
  readonly #begun = new Map<string, number>()
  readonly #lastDone = new Map<string, number>()
  readonly #failures = new Set<string>()
  /** Errors of chunks that were printed, as `CODE message`. */
  readonly #chunkErrors = new Set<string>()
  readonly #chunks: ChunkLines
  #rate: string | null = null
  /** Refused rows by table and key: a chunk that is tried again names its rows again. */
  readonly #refusedRows = new Set<string>()
  #made = 0
  #failed = 0
  #different = 0

  constructor(options: LinesOptions) {
    this.#options = options
    this.#chunks = new ChunkLines(options.verbose)
  }

  plan(event: EventOf<'plan.ready'>, block: MakeBlock): readonly Block[] {
    const { copies = [] } = event
    for (const line of copies) this.#plans.set(line.table, line)
    // In a dry run no later event reports refused tables.
    const refused = this.#options.dryRun ? copies.filter(({ error }) => error !== undefined) : []
    const dependencies = dependencyLines(event.leftBehind ?? []).map((text) => block('note', text))
    return [
      ...this.#planned(event, copies, block),
      ...dependencies,
      ...refused.flatMap((line) => this.#refused(line, block)),
    ]
  }

  started(event: EventOf<'copy.started'>, at: number, block: MakeBlock): readonly Block[] {
    const { table, key, chunks, done } = event
    this.#keys.set(table, key)
    if (event.ring !== undefined) this.#partitions.set(table, event.ring.columns)
    this.#begun.set(table, at)
    this.#chunks.begun(event)
    if (done.chunks === '0') return []
    const rows = `(${plural(done.rows, 'row')})`
    const whole = done.chunks === chunks ? `${grouped(chunks)} of ` : ''
    const isProved = this.#plans.get(table)?.proof !== 'none' && done.unproved === undefined
    const how = isProved ? 'proved' : 'copied'
    const what = `${whole}${plural(done.chunks, 'chunk')} ${rows} ${done.chunks === '1' ? 'is' : 'are'} ${how} already`
    return [block('resume', `${this.#subject(table)}${what}`, { table })]
  }

  /** @param perSecond measured rate before the throttle; null if unknown */
  throttled(event: EventOf<'throttle.on'>, perSecond: number | null, block: MakeBlock): readonly Block[] {
    const measured = perSecond !== null && perSecond > Number(event.rate) ? Math.round(perSecond).toString() : null
    const before = this.#rate ?? measured
    this.#rate = event.rate
    const now = `${grouped(event.rate)} rows/s`
    return [block('throttle', `${event.reason}: ${before === null ? `now ${now}` : `${grouped(before)} -> ${now}`}`)]
  }

  released(block: MakeBlock): readonly Block[] {
    this.#rate = null
    return [block('throttle', 'ended: full speed again')]
  }

  steered(event: EventOf<'table.steered'>, block: MakeBlock): readonly Block[] {
    // After a retry, report failures again, even if they are the same.
    if (event.act === 'retry') {
      for (const key of this.#failures) if (key.startsWith(`${event.table}\n`)) this.#failures.delete(key)
    }
    return [block('note', tableSteered(event), { table: event.table })]
  }

  /** A released chunk. Chunks released by a stop are summed up in one line at the end. */
  free({ table, chunk, reason }: EventOf<'chunk.released'>, block: MakeBlock): readonly Block[] {
    if (reason === 'stop' && !this.#options.verbose) return []
    return [block('note', releasedText(`${this.#subject(table)}chunk ${chunk}`, reason), { table })]
  }

  object(event: EventOf<'index.started' | 'index.done' | 'index.failed'>, block: MakeBlock): readonly Block[] {
    if (event.type === 'index.failed') this.#options.onReported(`${event.error.code} ${event.error.message}`)
    else if (event.type === 'index.done') this.#made += 1
    if (this.#made > MOST_LINES && event.type !== 'index.failed' && !this.#options.verbose) return []
    return objectReported(event, this.#subject(event.table), block)
  }

  retried({ table, chunk, attempt, waitMs, error }: EventOf<'chunk.retried'>, block: MakeBlock): readonly Block[] {
    // SOURCE_BUSY concerns all chunks: a note of the run has reported it once.
    if (error.code === 'SOURCE_BUSY' && !this.#options.verbose) return []
    const what = `${this.#subject(table)}chunk ${chunk}  ${error.code} ${error.message}`
    return [block('retry', `${what}; try ${attempt} in ${durationText(waitMs)}`, { table })]
  }

  onQuarantined(event: EventOf<'row.aside'>, block: MakeBlock): readonly Block[] {
    const { table, chunk, key, error } = event
    this.#refusedRows.add(JSON.stringify([table, key]))
    if (this.#refusedRows.size > MOST_LINES && !this.#options.verbose) return []
    const where = chunk === '' ? '' : `  (chunk ${chunk})`
    return [block('quarantine', `${this.#subject(table)}${this.#keyText(event)}  ${error.message}${where}`, { table })]
  }

  /** A failure that is the same in every chunk is reported once. */
  chunkFailed(event: EventOf<'chunk.failed'>, block: MakeBlock): readonly Block[] {
    const { table, chunk, error } = event
    const reported = `${error.code} ${error.message}`
    if (this.#failures.has(`${table}\n${reported}`)) return []
    this.#failures.add(`${table}\n${reported}`)
    this.#failed += 1
    if (this.#failed > MOST_LINES && !this.#options.verbose) return []
    const details = errorDetails(error)
    this.#options.onReported(reported)
    this.#chunkErrors.add(reported)
    const text = `${this.#subject(table)}chunk ${chunk}  ${reported}`
    return [block('FAILED', text, { table, details, code: error.code, problem: true })]
  }

  /** A chunk of an earlier run with an unexpected number of rows. */
  differs(event: EventOf<'look.difference'>, block: MakeBlock): readonly Block[] {
    this.#different += 1
    if (this.#different > MOST_LINES && !this.#options.verbose) return []
    const { table } = event
    return [block(event.accepted === true ? 'note' : 'DIFFERS', this.#subject(table) + recountText(event), { table })]
  }

  begins(event: EventOf<'chunk.started'>, block: MakeBlock): readonly Block[] {
    return this.#chunks.started(event, this.#subject(event.table), block)
  }

  done(event: EventOf<'chunk.done'>, at: number, block: MakeBlock): readonly Block[] {
    this.#lastDone.set(event.table, at)
    return this.#chunks.done(event, this.#subject(event.table), block)
  }

  /** Result of a table; null if the narrator prints its general lines instead. */
  finished(event: EventOf<'table.finished'>, block: MakeBlock): readonly Block[] | null {
    const { table, copied, error, status } = event
    if (copied === undefined || status === 'refused') return null
    const subject = this.#subject(table)
    const notes = (event.notes ?? []).map((note) => block('note', subject + note, { table }))
    const proof = this.#proofText(table, copied)
    const alone = this.#plans.size < 2
    const reported = error === undefined ? '' : `${error.code} ${error.message}`
    // Failed rows and chunks were reported one by one, and their counts are in the last line.
    const summed = error !== undefined && /^(?:ROWS_ASIDE|CHUNKS_FAILED|OBJECTS_FAILED)$/.test(error.code)
    if (error !== undefined && !(alone && summed)) {
      this.#options.onReported(reported)
      if (this.#failures.has(`${table}\n${reported}`)) return notes
      const details: Block['details'] = [...(proof === '' ? [] : [['proved', proof] as const]), ...errorDetails(error)]
      const said = withoutReported(reported, this.#chunkErrors)
      return [block('FAILED', subject + said, { table, details, code: error.code, problem: true }), ...notes]
    }
    if (alone) return [...(proof === '' ? [] : [block('proved', proof, { table })]), ...notes]
    if (status !== 'ok')
      return [block('note', `${subject}${status}${proof === '' ? '' : `: ${proof}`}`, { table }), ...notes]
    const last = this.#lastDone.get(table)
    const took = last === undefined ? '' : `  ${durationText(last - (this.#begun.get(table) ?? last))}`
    const facts = `${grouped(copied.written).padStart(13)} ${copied.written === '1' ? 'row ' : 'rows'}  ${proof === '' ? earlierText(copied) : proof}`
    return [block('ok', subject + facts + took, { table }), ...notes]
  }

  /** Dependencies that were not transferred. Empty for a dry run, which reports them with the plan. */
  left({ leftBehind = [] }: EventOf<'run.finished'>, block: MakeBlock): readonly Block[] {
    return this.#options.dryRun ? [] : dependencyLines(leftBehind).map((text) => block('note', text))
  }

  /** Lines with the numbers of entries that were not printed. */
  hidden({ totals }: EventOf<'run.finished'>, block: MakeBlock): readonly Block[] {
    const hidden = (count: number, one: string, many?: string): readonly Block[] =>
      count <= MOST_LINES || this.#options.verbose
        ? []
        : [block('note', `and ${plural(count - MOST_LINES, one, many)}; --verbose or --json shows all`)]
    return [
      // Refused rows of chunks that are not copied are not in the quarantine.
      ...(Number(totals['quarantined'] ?? this.#refusedRows.size) < this.#refusedRows.size
        ? hidden(this.#refusedRows.size, 'more row refused', 'more rows refused')
        : hidden(this.#refusedRows.size, 'more row quarantined', 'more rows quarantined')),
      ...hidden(this.#failed, 'more failure'),
      ...hidden(this.#different, 'more chunk that differs', 'more chunks that differ'),
      ...hidden(this.#made, 'more index or constraint made', 'more indexes and constraints made'),
    ]
  }

  #planned(event: EventOf<'plan.ready'>, copies: readonly CopyPlanLine[], block: MakeBlock): readonly Block[] {
    const hash = `plan ${event.hash.slice(0, 8)}`
    const going = copies.filter(({ error }) => error === undefined)
    const [one] = going
    if (one === undefined) return [block('plan', `${plural(copies.length, 'table')}, none of which can be copied`)]
    if (copies.length === 1) return this.#planOf(one, '', `, ${hash}`, block)
    const rows = `${event.estimated ? 'about ' : ''}${plural(event.total, 'row')}`
    const chunks = chunksText({ chunks: event.chunks, isAbout: copies.some((line) => line.chunksEstimated === true) })
    const sums = [plural(copies.length, 'table'), rows, chunks, sizeText(event.bytes), hash]
    const shown = this.#options.verbose ? going : going.slice(0, MOST_LINES)
    const more = going.length - shown.length
    return [
      block('plan', sums.join(', ')),
      ...shown.flatMap((line) => this.#planOf(line, this.#subject(line.table), '', block)),
      ...(more === 0 ? [] : [block('note', `and ${plural(more, 'table')} more; --verbose or --json shows all`)]),
    ]
  }

  #planOf(line: CopyPlanLine, subject: string, hash: string, block: MakeBlock): readonly Block[] {
    const { table, columns, create } = line
    const facts = [
      `${line.estimated ? 'about ' : ''}${plural(line.rows, 'row')}`,
      `${chunksText({ ...line, isAbout: line.chunksEstimated === true })} of ${grouped(line.chunkRows)}${byText(line)}`,
      plural(columns.length, 'column'),
      line.proof === 'none' ? 'no proof' : `proof by ${line.proof === 'count' ? 'count' : 'chunk'}`,
      ...(create || EXISTING[line.onExisting] === undefined ? [] : [EXISTING[line.onExisting] ?? '']),
      ...(line.requests === undefined ? [] : [requestsText(line.requests, line.requestMs)]),
    ]
    const mapped = create && !this.#options.dryRun && (this.#plans.size <= MOST_MAPS || this.#options.verbose)
    const details = mapped ? mapDetails(line) : []
    const lossy = columns.filter((column) => column.lossy !== undefined)
    return [
      block('plan', `${subject}${facts.join(', ')}${hash}`, { table, details }),
      ...lossy.map((column) =>
        block('note', `${subject}${column.from} (${column.source} to ${column.target}): ${column.lossy ?? ''}`, {
          table,
        }),
      ),
      ...(line.notes ?? []).map((note) => block('note', subject + note, { table })),
      ...plannedObjects(line, subject, block),
    ]
  }

  #refused({ table, error }: CopyPlanLine, block: MakeBlock): readonly Block[] {
    if (error === undefined) return []
    const reported = `${error.code} ${error.message}`
    this.#options.onReported(reported)
    const details = errorDetails(error)
    return [
      block('refused', `${this.#options.subjects.pad(table)}${reported}`, {
        table,
        details,
        code: error.code,
        problem: true,
      }),
    ]
  }

  #proofText(table: string, { chunks, proved, quarantined, again }: CopyTally): string {
    const proof = this.#plans.get(table)?.proof ?? 'chunk'
    if (again !== undefined && again.compared !== '0') return comparedText(proved, chunks, quarantined, again)
    if (proof === 'none' || proved === '0') return ''
    const equal = proof === 'count' ? 'count equal' : 'count and checksum equal'
    // With `upsert` and `append`, the proof covers only the rows that were read, not other rows between them.
    const shared = ['upsert', 'append'].includes(this.#plans.get(table)?.onExisting ?? '')
    const what = shared ? equal.replace(/ equal$/, ' of the rows that were read equal') : equal
    return `${grouped(proved)} of ${plural(chunks, 'chunk')}: ${what}${without(quarantined)}`
  }

  #keyText({ table, key }: EventOf<'row.aside'>): string {
    return namedRowKeyText(key, this.#keys.get(table) ?? [], this.#partitions.get(table))
  }

  /** The name of the table, padded; empty if only one table is copied. */
  #subject(table: string): string {
    return this.#plans.size < 2 ? '' : this.#options.subjects.pad(table)
  }
}

/** A difference in a chunk of an earlier run: `chunk 1 (1 to 50,000): expected 50,000 rows, found 49,990`. */
function recountText(event: LookDifferenceEvent): string {
  const { chunk, side, sourceBefore, source, expected, target, accepted } = event
  const what = chunk === undefined ? 'the table' : `chunk ${chunk}${rangeText(event)}`
  const change = BigInt(source) - BigInt(sourceBefore)
  const changed = `the source has ${plural(abs(change), 'row')} ${change < 0n ? 'less' : 'more'} than when it was copied`
  const rows = `expected ${plural(expected, 'row')}, found ${grouped(target)}`
  const found = side === 'source' ? `${changed}: ${rows}` : change === 0n ? rows : `${rows}; ${changed}`
  return `${what}: ${found}${accepted === true ? ', accepted' : ''}`
}

function rangeText({ from, to }: LookDifferenceEvent): string {
  if (from === undefined || to === undefined) return ''
  const edge = (key: readonly string[] | null, open: string): string => (key === null ? open : key.join(', '))
  return ` (${edge(from, 'start')} to ${edge(to, 'end')})`
}

function abs(rows: bigint): bigint {
  return rows < 0n ? -rows : rows
}

function chunksText({ chunks, isAbout }: { readonly chunks: string; readonly isAbout: boolean }): string {
  return `${isAbout ? 'about ' : ''}${plural(chunks, 'chunk')}`
}

/** The columns that divide a table into chunks, with the smallest and the largest key if they are known. */
function byText({ key, low, high }: CopyPlanLine): string {
  if (key.length === 0) return ''
  return ` by ${key.join(', ')}${low === undefined || high === undefined ? '' : ` (${low} to ${high})`}`
}

/** What `--again` proved now. With surplus rows in the target, the proof covers only the rows of the source. */
function comparedText(proved: string, chunks: string, quarantinedRows: string, { compared, extra }: CopyAgain): string {
  const all = `${grouped(proved)} of ${plural(chunks, 'chunk')} proved now, ${grouped(compared)} of them compared`
  const what = extra === '0' ? 'count and checksum equal' : 'every row of the source is equal in the target'
  return `${all}: ${what}${without(quarantinedRows)}`
}

function without(quarantinedRows: string): string {
  return quarantinedRows === '0'
    ? ''
    : `, without the ${quarantinedRows === '1' ? 'row' : `${grouped(quarantinedRows)} rows`} quarantined`
}

/** Requests to a service that limits them, and the minimum time for them. */
function requestsText(requests: string, ms = 0): string {
  return `about ${plural(requests, 'request')}${ms < 1000 ? '' : `, which take ${durationText(ms)} at least`}`
}

/** The columns of a table that will be created. */
function mapDetails({ columns }: CopyPlanLine): Block['details'] {
  const lines = typeMap(columns)
  const shown = lines.slice(0, MOST_COLUMNS + 1).map((line, index) => [index === 0 ? 'creates' : '', line] as const)
  const more = lines.length - shown.length
  return more === 0 ? shown : [...shown, ['', `and ${plural(more, 'column')} more; --dry-run shows all`] as const]
}

/** Text for a table of which this run has proved nothing. */
function earlierText({ chunks, earlier, unproved, counted, provedAt }: CopyTally): string {
  if (earlier === '0' || provedAt === undefined) return plural(chunks, 'chunk')
  const how = unproved === undefined && counted === undefined ? 'proved' : 'copied'
  const bare = unproved === undefined ? '' : `, ${grouped(unproved)} of them without a proof`
  return `${grouped(earlier)} of ${plural(chunks, 'chunk')} ${how} on ${provedAt[1].slice(0, 10)}${bare}`
}

/**
 * Records a copy in the tables of the Cassandra Data Migrator: each range during the copy, and the totals at its end.
 * Before the copy, finds the ranges that an earlier run did not complete.
 */
import { tableText } from '../../../../model/copy/column-type.ts'
import { RING_TOKENS, type TokenRange } from '../../../../model/copy/ring.ts'
import { asSluiceError, SluiceError } from '../../../../shared/errors.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import type { TrackStore } from '../../../../model/copy/track-port.ts'
import type { RingOptions, TrackOptions } from '../../operations/copy/option-types.ts'
import type { CopyEvent } from '../../copy-run.ts'
import { ChunkLedger } from '../../ledger/chunks.ts'
import { tableKeyOf } from '../../ledger/owner.ts'
import { CLOSED, type StoredChunk } from '../../ledger/stored-chunk.ts'
import type { PlannedCopy, PlannedTable } from '../../plan/plan-copy.ts'
import { wantedChunks } from '../../plan/wanted-chunks.ts'
import type { CopyContext } from '../../table/copy-context.ts'
import type { TableRun } from '../../table/table-run.ts'
import { noteTrackedRun } from '../../ledger/tracked-runs.ts'
import { countsOf, correctDeadRuns, storedChunkTokens, type TrackedCopy } from './dead-runs.ts'
import { doneSince, previousRun, type Previous } from './previous-run.ts'
import type { CdmCounts } from './run-info.ts'
import { TrackedTable } from './tracked-table.ts'
import { trackingTitles } from '../../../run/systems.ts'

export type TrackContext = Pick<CopyContext, 'operation' | 'run' | 'database' | 'owner'> & { readonly to: CopyStore }

type TrackedCopyTable = {
  readonly table: TrackedTable
  readonly copy: TrackedCopy
  readonly ledger: ChunkLedger
  readonly ring: TokenRange
  readonly chunks: Map<string, TokenRange>
  /** Rows read so far, by chunk. */
  readonly read: Map<string, bigint>
}

export class CopyTrack {
  readonly request: TrackOptions
  readonly #context: TrackContext
  readonly #stores = new Map<string, TrackStore>()
  readonly #previous = new Map<string, Previous>()
  readonly #tables = new Map<string, TrackedCopyTable>()
  notified = false

  /**
   * @returns null if the copy is not tracked
   * @throws SluiceError BAD_FLAG, UNSUPPORTED_URL, NO_RING if the copy cannot be tracked
   */
  static of(context: TrackContext, planned: PlannedCopy): CopyTrack | null {
    const { track } = context.operation
    if (track === undefined) return null
    if (context.to.offers.tracks === undefined) {
      throw new SluiceError('UNSUPPORTED_URL', `--track-run cannot record runs in ${context.to.system}`, {
        where: context.to.label,
        hint: `remove --track-run (the ledger records the same), or copy into ${trackingTitles()}`,
      })
    }
    for (const { source } of planned.tables) {
      if (source.ring !== undefined && source.ring.partitioner !== 'random') continue
      const what = source.ring === undefined ? 'it is not on a token ring' : 'its tokens do not fit a bigint'
      throw new SluiceError('NO_RING', `--track-run cannot record ${tableText(source.table)}: ${what}`, {
        hint: 'remove --track-run: the ledger records the same',
      })
    }
    if (planned.tables.length > 1 && (track.previous !== undefined || track.autoRerun === true)) {
      throw new SluiceError(
        'BAD_FLAG',
        `${planned.tables.length} tables are copied, but a tracked run covers one table`,
        {
          hint: 'name one table, or remove --prev-run-id and --auto-rerun: the same command copies only what is missing',
        },
      )
    }
    return new CopyTrack(track, context)
  }

  /** True if the command continues an earlier run (`--prev-run-id`) that is recorded in the target. */
  static async isContinued(
    { operation: { track }, to, database }: Omit<TrackContext, 'run' | 'owner'>,
    planned: PlannedCopy,
  ): Promise<boolean> {
    if (track?.previous === undefined) return false
    const [one] = planned.tables
    if (one === undefined || to.offers.tracks === undefined) return true
    const store = to.offers.tracks.open(one.targetName.schema ?? to.schema ?? '', database)
    await store.prepare()
    return (await previousRun(store, one.targetName.name, 'MIGRATE', track)).lost === null
  }

  private constructor(options: TrackOptions, context: TrackContext) {
    this.request = options
    this.#context = context
  }

  /**
   * Finds the ranges that an earlier run did not complete.
   * @returns the wanted ranges; null for all
   * @throws SluiceError BAD_FLAG if the run number is taken; errors of the target
   */
  async before(planned: PlannedCopy): Promise<RingOptions['ranges'] | null> {
    let ranges: RingOptions['ranges'] | null = null
    for (const one of planned.tables) {
      const store = await this.#store(one)
      const { name } = one.targetName
      const { previous, lost } = await previousRun(store, name, 'MIGRATE', this.request)
      if (lost !== null) {
        const message = `Run NOT FOUND/NOT STARTED for Previous RunId: ${lost}, starting new run!`
        this.#emitNote('warn', message, tableText(one.source.table))
      }
      await correctDeadRuns(this.#copyOf(store, one), null)
      if (previous === null) continue
      const chunks = await new ChunkLedger(
        this.#context.database,
        tableKeyOf(one.targetName),
        this.#context.owner,
      ).some(CLOSED)
      const left = await this.#uncopiedRanges(one, previous, chunks)
      this.#previous.set(tableText(one.source.table), { ...previous, pending: left })
      ranges = left.map(({ low, high }) => ({ min: low.toString(), max: high.toString() }))
    }
    return ranges
  }

  /** Writes the new run of each table that has work left. */
  async begin(planned: PlannedCopy, tables: readonly TableRun[]): Promise<void> {
    for (const { name, context } of tables) {
      const one = planned.tables.find(({ source }) => tableText(source.table) === name)
      if (one === undefined || context === null || context.ring === null) continue
      const { ring } = context.ring
      const isAgain = this.#context.operation.again === true
      const open: StoredChunk[] = []
      let count = 0
      for await (const chunk of wantedChunks(context)) {
        count++
        if (isAgain || chunk.status !== 'completed') open.push(chunk)
      }
      if (open.length === 0) continue
      const previous = this.#previous.get(name) ?? null
      const store = await this.#store(one)
      const runId = BigInt(this.request.runId ?? this.#context.run.runId)
      const table = new TrackedTable({
        store,
        table: one.targetName.name,
        runId,
        type: 'MIGRATE',
        previous: previous?.run.runId ?? (open.length === count ? 0n : await latestOf(store, one, runId)),
        now: () => this.#context.run.clock.now(),
        onTrouble: (error) => this.#trouble(name, error),
      })
      const { database, run } = this.#context
      if (this.request.runId !== undefined)
        await noteTrackedRun(database, BigInt(run.runId), tableKeyOf(one.targetName), runId)
      const byNo = new Map(open.flatMap((chunk) => storedChunkTokens(chunk, ring)))
      await table.begin([...byNo.values()])
      const copy = this.#copyOf(store, one)
      this.#tables.set(name, { table, copy, ledger: context.ledger, ring, chunks: byNo, read: new Map() })
    }
  }

  /** Tracked tables, by the name of the source's table. */
  get tables(): ReadonlyMap<string, TrackedTable> {
    return new Map([...this.#tables].map(([name, { table }]) => [name, table]))
  }

  previousOf(name: string): Previous | null {
    return this.#previous.get(name) ?? null
  }

  event(event: CopyEvent): void {
    if (!('chunk' in event) || event.chunk === undefined || !('table' in event) || event.table === undefined) return
    const followed = this.#tables.get(event.table)
    if (followed === undefined) return
    const { table, chunks, read, ring } = followed
    if (event.type === 'chunk.started' && !chunks.has(event.chunk)) {
      const [low, high] = [event.from?.[0], event.to?.[0]]
      chunks.set(event.chunk, {
        low: low === undefined ? ring.low : BigInt(low),
        high: high === undefined ? ring.high : BigInt(high),
      })
    }
    const range = chunks.get(event.chunk)
    if (range === undefined) return
    switch (event.type) {
      case 'chunk.started':
        return table.started(range)
      case 'chunk.progress':
        return void read.set(event.chunk, BigInt(event.done))
      case 'chunk.released':
        return table.released(range)
      case 'chunk.failed': {
        const rows = read.get(event.chunk) ?? 0n
        return table.ended(range, 'FAIL', { Read: rows, Error: rows })
      }
      case 'chunk.done': {
        const { read: rows, written, skipped, quarantined } = event
        const counts: CdmCounts = {
          Read: BigInt(rows ?? 0),
          Write: BigInt(written ?? 0),
          Skipped: BigInt(skipped ?? 0),
          Error: BigInt(quarantined ?? 0),
        }
        return table.ended(range, counts.Error === 0n ? 'PASS' : 'FAIL', counts)
      }
      default:
    }
  }

  /** Aligns the recorded ranges of this run with the ledger, and ends killed runs. Failures are only reported. */
  async end(): Promise<void> {
    const own = BigInt(this.#context.run.runId)
    for (const [name, { table, copy, ledger, ring }] of this.#tables) {
      try {
        // Ranges done by another run are recorded in that run's rows.
        const completed = await ledger.some(CLOSED)
        const done = completed.filter(({ runId }) => runId === own)
        const others = completed.filter(({ runId }) => runId !== own).flatMap((chunk) => storedChunkTokens(chunk, ring))
        for (const [no, range] of done.flatMap((chunk) => storedChunkTokens(chunk, ring))) {
          const reported = table.ranges().find(({ low }) => low === range.low)
          const chunk = done.find((one) => String(one.no) === no)
          if (reported === undefined || chunk === undefined || !['NOT_STARTED', 'STARTED'].includes(reported.status))
            continue
          table.ended(range, chunk.quarantined === 0n ? 'PASS' : 'FAIL', countsOf([chunk]))
        }
        await table.end(new Set(others.map(([, { low }]) => low)))
        // The lease of a killed run may have expired only after this run began.
        await correctDeadRuns(copy, table.runId)
      } catch (error) {
        this.#trouble(name, error)
      }
    }
  }

  async #store({ targetName }: PlannedTable): Promise<TrackStore> {
    const { to, database } = this.#context
    const schema = targetName.schema ?? to.schema ?? ''
    const known = this.#stores.get(schema)
    if (known !== undefined) return known
    const store = to.offers.tracks?.open(schema, database)
    if (store === undefined) throw new Error('the store has no track table')
    await store.prepare()
    this.#stores.set(schema, store)
    return store
  }

  #copyOf(store: TrackStore, one: PlannedTable): TrackedCopy {
    const { database, owner, run } = this.#context
    return {
      store,
      table: one.targetName.name,
      key: tableKeyOf(one.targetName),
      ring: RING_TOKENS[one.source.ring?.partitioner ?? 'murmur3'],
      ledger: new ChunkLedger(database, tableKeyOf(one.targetName), owner),
      database,
      now: () => run.clock.now(),
    }
  }

  /**
   * Pending ranges that no run has copied yet; all pending ranges if the earlier run was a comparison. Reopens their
   * completed chunks if the command continues an earlier run.
   */
  async #uncopiedRanges(
    one: PlannedTable,
    { run, pending }: Previous,
    chunks: readonly StoredChunk[],
  ): Promise<Previous['pending']> {
    const ring = RING_TOKENS[one.source.ring?.partitioner ?? 'murmur3']
    const whole = chunks.filter(({ status, quarantined }) => status === 'completed' && quarantined === 0n)
    const tokens = whole.flatMap((chunk) => storedChunkTokens(chunk, ring).map(([, range]) => range))
    // Ranges of a comparison are done again, even if an earlier copy completed them.
    const done = run.type === 'MIGRATE' ? doneSince(pending, tokens) : []
    const left = pending.filter((range) => !done.includes(range))
    if (this.request.previous !== undefined || this.request.autoRerun === true)
      await this.#reopen(one, chunks, left, ring)
    return left
  }

  /**
   * Reopens chunks that are completed in the ledger, but pending in the earlier run: they have quarantined or different
   * rows.
   */
  async #reopen(
    one: PlannedTable,
    chunks: readonly StoredChunk[],
    left: Previous['pending'],
    ring: TokenRange,
  ): Promise<void> {
    const { operation, to, database, owner } = this.#context
    const again = chunks.filter(
      (chunk) =>
        chunk.status === 'completed' &&
        storedChunkTokens(chunk, ring).some(([, tokens]) =>
          left.some(({ low, high }) => low <= tokens.high && tokens.low <= high),
        ),
    )
    if (again.length === 0) return
    if (to.can.atomic !== 'row' && !['upsert', 'replace-range'].includes(operation.onExisting)) {
      const message = `${again.length} ranges without status PASS were copied before; their rows are not written again`
      const hint = 'add --on-existing upsert to write them again, or run sluice quarantine retry for quarantined rows'
      this.#emitNote('warn', message, tableText(one.source.table), hint)
      return
    }
    const ledger = new ChunkLedger(database, tableKeyOf(one.targetName), owner)
    for (const chunk of again) await ledger.reopen(chunk)
  }

  #trouble(table: string, error: unknown): void {
    const { message, hint } = asSluiceError(error)
    if (!this.notified) this.#emitNote('warn', `cdm_run_details is not up to date: ${message}`, table, hint)
    this.notified = true
  }

  #emitNote(level: 'note' | 'warn', message: string, table: string, hint?: string): void {
    this.#context.run.emit({ type: 'log', level, table, message, ...(hint === undefined ? {} : { hint }) })
  }
}

/**
 * Id of the latest earlier copy; 0 for none. A copy that resumes without `--prev-run-id` records it as its previous
 * run.
 * @param own id of this run, which may be stored already after a lost reply
 */
async function latestOf(store: TrackStore, { targetName }: PlannedTable, own: bigint): Promise<bigint> {
  const runs = await store.runs(targetName.name)
  return runs.find(({ type, runId }) => type === 'MIGRATE' && runId !== own)?.runId ?? 0n
}

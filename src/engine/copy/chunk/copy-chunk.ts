/**
 * Copies one chunk: reads, writes, proves and closes it in one transaction of the target, or in batches where the
 * target has no such transactions.
 */
import { randomUUID } from 'node:crypto'
import type { Claim, TallyOfChunk } from '../../../model/copy/plan.ts'
import type { KeyBound, Range } from '../../../model/copy/range.ts'
import { RowChecksum } from '../../../model/copy/row-hash.ts'
import { type Digest, type ProofScheme, type Row, type WriteTimes } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ChunkRequest, ChunkWriter } from '../../../model/copy/target-port.ts'
import type { RowRequest, SourceView } from '../../../model/copy/source-port.ts'
import { Computed } from './computed.ts'
import { ExactKeys } from './exact-keys.ts'
import {
  plannedReadColumns,
  targetKeyPositions,
  keyedTargetTable,
  writeColumns,
  writtenCells,
  type TableContext,
} from '../table/context.ts'
import { isRanged } from '../recount/ranged.ts'
import { Expiring } from './expiring.ts'
import { failureKind } from '../workers/failure.ts'
import { ChunkQuarantine } from './chunk-quarantine.ts'
import { forwardFrames, type ChunkProgress } from './forward-frames.ts'
import { isOnePass, secondPassError } from './one-pass.ts'
import { closingOf, stepOf } from '../ledger/closing.ts'
import { quarantineLines, endLines, lineOf, type RowToQuarantine } from '../ledger/quarantine.ts'
import { rowsDropped } from './chunk-proof.ts'
import { ChunkProof } from './prove-chunk.ts'
import { refusedRowOf, notEmpty, refusedText, readableCells, removeLine } from './refused-rows.ts'
import { rowCountText } from './rows-text.ts'
import { TimeLosses } from './time-losses.ts'
import { WrittenKeys } from './written-keys.ts'
import { withWriter } from '../../../stores/common/with-writer.ts'

export type ChunkResult = {
  readonly tally: TallyOfChunk
  readonly source: Digest | null
  readonly target: Digest | null
  readonly refusedRows: readonly RowToQuarantine[]
}

/** Batch size in careful mode; a batch is split when one of its rows is refused. */
const CAREFUL_ROWS = 500
const CAREFUL_BYTES = 1024 * 1024

/**
 * @param careful find and quarantine every refused row; slower
 * @returns null if another process has the chunk now
 * @throws SluiceError any failure of the chunk; see `failureKind`
 */
export async function copyChunk(
  context: TableContext,
  view: SourceView,
  claim: Claim,
  careful: boolean,
  progress: ChunkProgress,
): Promise<ChunkResult | null> {
  const work = new ChunkWork(context, view, claim, careful, progress)
  return work.run()
}

class ChunkWork {
  readonly #context: TableContext
  readonly #view: SourceView
  readonly #claim: Claim
  readonly #careful: boolean
  readonly #progress: ChunkProgress
  #digest = new RowChecksum()
  #computed: Computed
  readonly #quarantine: ChunkQuarantine
  #keys: WrittenKeys | null
  readonly #exact: ExactKeys
  readonly #targetKey: readonly number[]
  readonly #batchwise: boolean
  readonly #onePass: boolean
  #read = 0n
  #written = 0n
  #skipped = 0n
  /** Rows that expired (TTL) before they were written. */
  #expired = 0n
  readonly #expiring = new Expiring()
  readonly #timeLosses = new TimeLosses()
  #bytes = 0
  #cursor: string | null
  /** True if the range was empty before this chunk was written, or is emptied first. */
  #startsEmpty = false

  constructor(context: TableContext, view: SourceView, claim: Claim, careful: boolean, progress: ChunkProgress) {
    this.#context = context
    this.#view = view
    this.#claim = claim
    this.#careful = careful
    this.#progress = progress
    const { plan, store } = context
    this.#exact = new ExactKeys(plan)
    this.#computed = new Computed(plan)
    this.#targetKey = targetKeyPositions(plan)
    this.#keys = WrittenKeys.of(plan, claim.range)
    this.#batchwise = store.can.atomic === 'batch'
    this.#onePass = isOnePass(store, claim)
    this.#quarantine = new ChunkQuarantine(context, claim, this.#batchwise)
    this.#cursor = claim.cursor
  }

  async run(): Promise<ChunkResult | null> {
    const { plan, target, signal, pastTriggers = false, isOfStream = false } = this.#context
    if (this.#onePass && this.#cursor !== null) throw secondPassError(plan, this.#claim)
    const request: ChunkRequest = {
      table: keyedTargetTable(plan),
      columns: writeColumns(plan),
      range: this.#claim.range,
      sortsAlike: plan.sortsAlike,
      onExisting: plan.onExisting,
      careful: this.#careful,
      pastTriggers,
      isOfStream,
      cursor: this.#cursor,
      signal,
    }
    return await withWriter(target, request, (writer) => this.#fill(writer))
  }

  async #fill(writer: ChunkWriter): Promise<ChunkResult | null> {
    const { plan, ledger, database, owner } = this.#context
    await ledger.claims.note(this.#claim, writer.session)
    if (this.#batchwise) await endLines(database, owner, this.#claim)
    if (
      plan.onExisting === 'refuse' &&
      plan.cut === 'key' &&
      plan.sortsAlike &&
      this.#cursor === null &&
      this.#isFirst() &&
      (await writer.hasRows())
    ) {
      // Another process may have taken over this chunk and written these rows: `current` then throws LEASE_LOST. If a
      // chunk is one transaction, `claims.note` has checked this.
      if (this.#batchwise) await ledger.claims.current(this.#claim)
      throw notEmpty(plan.target.table.name)
    }
    const shared = plan.onExisting === 'upsert' || plan.onExisting === 'append'
    this.#startsEmpty =
      !shared ||
      (isRanged(plan) && writer.seesRange && this.#cursor === null && this.#isFirst() && !(await writer.hasRows()))
    // All rows in a range that was empty come from this chunk: count the range, and do not remember keys.
    if (shared && this.#startsEmpty && plan.proof === 'count') this.#keys = null
    const frames = plan.frames !== undefined && !this.#careful && this.#scheme !== 'canonical'
    const source = frames ? await this.#forward(writer) : await this.#copyRows(writer)
    return await this.#close(writer, source, frames)
  }

  /** Forwards rows as the source prints them. */
  async #forward(writer: ChunkWriter): Promise<Digest | null> {
    const request = this.#request(this.#claim.range)
    const { source, read, written, bytes } = await forwardFrames(
      this.#context,
      this.#view,
      writer,
      request,
      this.#progress,
    )
    this.#read = read
    this.#written = written
    this.#bytes = bytes
    return source
  }

  async #copyRows(writer: ChunkWriter): Promise<Digest | null> {
    const { plan, throttle, batch, signal } = this.#context
    const sums = plan.proof === 'canonical' || plan.proof === 'echo'
    const resumed = this.#cursor !== null
    const size = this.#careful && !this.#onePass ? { rows: CAREFUL_ROWS, bytes: CAREFUL_BYTES } : batch
    this.#progress('reading', this.#claim.written, this.#bytes)
    for await (const { rows: read, bytes, stamps } of this.#view.read(this.#wanted(this.#rest()), size, signal)) {
      const rows = this.#exact.withoutKeyColumns(read)
      this.#expiring.note(stamps)
      this.#timeLosses.note(plan, rows, stamps)
      throttle.countRows(rows.length)
      this.#read += BigInt(rows.length)
      await throttle.paced(rows.length, signal, (left) => {
        const went = this.#claim.written + this.#read - BigInt(Math.ceil(left))
        if (left > 0) this.#progress('writing', went, this.#bytes)
      })
      if (sums) for (const row of rows) this.#add(row)
      if (this.#careful) await this.#writeCarefully(writer, rows, bytes, stamps)
      else await this.#write(writer, rows, bytes, stamps)
      await this.#quarantine.noteUnread()
      this.#progress('writing', this.#claim.written + this.#read, this.#bytes)
    }
    await this.#quarantine.noteUnread()
    if (!resumed) return sums ? this.#digest.digest() : null
    return this.#digestOfAll(sums)
  }

  /** Reads all rows of a resumed chunk again. @returns digest of the rows not quarantined; null if `sums` is false */
  async #digestOfAll(sums: boolean): Promise<Digest | null> {
    const { database, plan, signal } = this.#context
    const before = await quarantineLines(database, this.#claim.id)
    this.#digest = new RowChecksum()
    this.#computed = new Computed(plan)
    this.#read = 0n
    if (this.#keys !== null) this.#keys = WrittenKeys.of(plan, this.#claim.range)
    const request = { ...this.#wanted(this.#claim.range), onRefused: () => (this.#read += 1n) }
    for await (const { rows } of this.#view.read(request, this.#context.batch, signal)) {
      for (const row of this.#exact.withoutKeyColumns(rows)) {
        this.#read += 1n
        if (removeLine(before, lineOf({ key: this.#exact.of(row), row: readableCells(plan, row) }))) continue
        this.#add(row)
        this.#keys?.note(writtenCells(plan, row))
      }
    }
    // Rows before the cursor count as written, whether an earlier attempt wrote or skipped them.
    this.#written = this.#digest.rows - this.#skipped - this.#expired
    return sums ? this.#digest.digest() : null
  }

  async #close(writer: ChunkWriter, read: Digest | null, forwarded: boolean): Promise<ChunkResult | null> {
    const { database, owner } = this.#context
    this.#progress('proving', this.#read, this.#bytes)
    const scheme = this.#scheme
    const proof = new ChunkProof({
      context: this.#context,
      view: this.#view,
      writer,
      claim: this.#claim,
      scheme,
      startsEmpty: this.#startsEmpty,
      keys: this.#keys,
      targetKey: this.#targetKey,
      written: this.#written,
      skipped: this.#skipped,
      expired: this.#expired,
      expiring: this.#expiring,
      computed: this.#computed,
      refusedRows: this.#quarantine.rows,
      request: { ...this.#request(this.#claim.range), onRefused: () => undefined },
      keyOf: (row) => this.#exact.of(row),
    })
    const quarantined = await this.#quarantine.count()
    const settled = this.#written + this.#skipped + this.#expired + quarantined
    if (settled < this.#read) throw rowsDropped(this.#context.plan, this.#read - settled, this.#read)
    const { source, stored, rows } = await proof.compare(read, forwarded)
    const tally: TallyOfChunk = {
      read: this.#read,
      written: this.#written,
      skipped: this.#skipped + this.#expired,
      quarantined,
      bytes: BigInt(Math.round(this.#bytes)),
    }
    if (tally.read !== tally.written + tally.skipped + tally.quarantined) {
      throw new SluiceError(
        'PROOF_FAILED',
        `${tally.read} rows were read, but ${tally.written} written, ${tally.skipped} skipped and ${quarantined} quarantined`,
        { hint: 'this is a bug in sluice: please report it with the command and this message' },
      )
    }
    const end = await proof.end()
    const surplus = await proof.surplus(tally, rows, end?.last ?? null)
    this.reportExpired()
    const proved = {
      scheme,
      source,
      target: stored,
      point: this.#view.point,
      surplus,
      refused: refusedText(this.#quarantine.rows),
    }
    // Store weak writes before the chunk is completed, so that a killed run does not lose them.
    await this.#context.weak?.storeKeys(this.#context)
    const closing = performance.now()
    const outcome = await writer.commit(
      closingOf(database, owner, this.#claim, tally, proved, end, this.#quarantine.statements()),
    )
    this.#context.pulse.committed(performance.now() - closing)
    if (outcome === 'fenced') return null
    this.#context.timeLosses.add(this.#timeLosses)
    this.#context.computedRows.add(this.#computed.digest())
    return { tally, source, target: stored, refusedRows: this.#quarantine.rows }
  }

  reportExpired(): void {
    const { name, emit } = this.#context
    if (this.#expired === 0n) return
    const message = `${rowCountText(this.#expired)} of chunk ${this.#claim.no} expired between reading and writing, and ${this.#expired === 1n ? 'is' : 'are'} not in the target`
    emit({ type: 'log', level: 'note', table: name, message })
  }

  async #write(to: ChunkWriter, read: readonly Row[], bytes: number, stamps?: readonly WriteTimes[]): Promise<void> {
    const last = read.at(-1)
    if (last === undefined) return
    const { plan } = this.#context
    const rows = plan.checked === undefined ? read : read.map((row) => writtenCells(plan, row))
    const given = performance.now()
    if (this.#batchwise) {
      // The cursor shows whether this batch is stored, so each batch of each attempt must have a different cursor.
      const next = this.#onePass ? randomUUID() : JSON.stringify(this.#exact.of(last))
      const step = stepOf(this.#context.owner, this.#claim, this.#cursor, next, rows.length, Math.round(bytes))
      this.#count(rows.length, await to.write(rows, step))
      this.#cursor = next
    } else this.#count(rows.length, await to.write(rows, undefined, stamps), stamps !== undefined)
    this.#context.pulse.wrote(performance.now() - given, bytes)
    this.#bytes += bytes
    if (this.#keys !== null) for (const row of rows) this.#keys.note(row)
  }

  #add(row: Row): void {
    this.#digest.add(writtenCells(this.#context.plan, row))
    this.#computed.add(row)
  }

  #count(given: number, written: number, stamped = false): void {
    this.#written += BigInt(written)
    const { onExisting, columns } = this.#context.plan
    // If only key columns are copied, an upsert writes nothing over an existing row.
    const isKeyOnly = onExisting === 'upsert' && columns.length === this.#targetKey.length && !stamped
    const keeps = onExisting === 'append' || isKeyOnly
    // A row is skipped only if its key already exists in the target. That cannot happen if the target has no key, or if
    // its key is not copied completely.
    if (keeps && this.#targetKey.length > 0) this.#skipped += BigInt(given - written)
    else if (stamped) this.#expired += BigInt(given - written)
  }

  /** Halves a refused batch until one row is left. */
  async #writeCarefully(
    writer: ChunkWriter,
    rows: readonly Row[],
    bytes: number,
    stamps?: readonly WriteTimes[],
  ): Promise<void> {
    try {
      await this.#write(writer, rows, bytes, stamps)
      return
    } catch (thrown) {
      const { kind, error } = failureKind(thrown)
      if (kind !== 'row') throw thrown
      const [row] = rows
      if (rows.length === 1 && row !== undefined) {
        this.#digest.remove(writtenCells(this.#context.plan, row))
        this.#computed.remove(row)
        await this.#quarantine.note({
          ...refusedRowOf(this.#context.plan, this.#exact.of(row), row, error),
          stage: 'write',
        })
        return
      }
    }
    const half = rows.length >> 1
    await this.#writeCarefully(writer, rows.slice(0, half), bytes / 2, stamps?.slice(0, half))
    await this.#writeCarefully(writer, rows.slice(half), bytes / 2, stamps?.slice(half))
  }

  /** `echo` compares bytes in key order: rows without a key have no order, and careful mode does not forward bytes. */
  get #scheme(): ProofScheme {
    const { proof } = this.#context.plan
    return proof === 'echo' && (this.#careful || this.#claim.range.by !== 'key') ? 'canonical' : proof
  }

  #request(range: Range): RowRequest {
    const { plan } = this.#context
    return {
      table: plan.source,
      columns: plannedReadColumns(plan),
      range,
      where: plan.where ?? null,
      ordered: range.by === 'key',
      ...(plan.source.ring !== undefined && plan.target.ring !== undefined ? { stamps: true as const } : {}),
      ...(this.#careful
        ? {
            onRefused: (row: readonly (string | null)[], error: SluiceError) => {
              this.#read += 1n
              const key = this.#exact.ofShown(row)
              this.#quarantine.unread({ ...refusedRowOf(plan, key, row, error), stage: 'read' })
            },
          }
        : {}),
    }
  }

  /** The request with additional columns: generated columns to compare, and key columns as the source stores them. */
  #wanted(range: Range): RowRequest {
    const request = this.#request(range)
    return { ...request, columns: [...request.columns, ...this.#computed.columns, ...this.#exact.columns] }
  }

  /** False if an earlier attempt may have left rows: some targets keep each row as soon as it is written. */
  #isFirst(): boolean {
    return this.#context.store.can.atomic !== 'row' || this.#claim.attempt <= 1
  }

  /** Rest of the chunk after its cursor. */
  #rest(): Range {
    const { range } = this.#claim
    if (this.#cursor === null || range.by !== 'key') return range
    return { by: 'key', after: JSON.parse(this.#cursor) as KeyBound, through: range.through }
  }
}

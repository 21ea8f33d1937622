/** Compares the source with what was recorded when a stream began, and halts it if changes may be missing. */
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import type { StreamStart, StreamFault } from '../../../model/follow/port.ts'
import { refuseTakenOver } from './recorded-target.ts'
import { haltStream } from './halt.ts'
import type { ApplyWorkers } from '../apply/apply-workers.ts'
import type { LoopParts } from '../apply/loop-parts.ts'

export class StreamVerifier {
  /** Apply workers of the running session; null between two sessions. */
  applyWorkers: ApplyWorkers | null = null
  readonly #parts: Pick<LoopParts, 'changes' | 'ledger' | 'stream' | 'tables' | 'run' | 'alerts' | 'to'>
  #startRecord: StreamStart
  /** False if `#startRecord` has changes that may not be in the ledger yet. */
  #isStartRecorded = true
  #isHalted = false

  constructor(parts: LoopParts, startRecord: StreamStart) {
    this.#parts = parts
    this.#startRecord = startRecord
  }

  /** Start data of the stream, updated for changes of the source that lose no rows. */
  get startRecord(): StreamStart {
    return this.#startRecord
  }

  /**
   * @returns false if only changes that are not applied yet can show whether changes were lost
   * @throws SluiceError STREAM_HALTED, SLOT_LOST, STREAM_MOVED
   */
  async verify(): Promise<boolean> {
    const { changes, ledger, stream, tables, run, to } = this.#parts
    await refuseTakenOver(stream, this.#startRecord, changes, to, run)
    // Wait for pending writes: otherwise a batch could be committed after the position is read, and the slot could be
    // ahead of this position.
    await this.applyWorkers?.written()
    const { position } = await ledger.progress(stream, changes)
    const sources = tables.map((one) => one.source)
    const { faults, moved, unclear } = await changes.verify(
      this.#startRecord,
      sources,
      changes.position(position),
      run.interrupt.abort,
    )
    if (faults.length > 0) return await this.#halt(faults)
    if (Object.keys(moved).length > 0) {
      this.#startRecord = { ...this.#startRecord, shapes: { ...this.#startRecord.shapes, ...moved } }
      this.#isStartRecorded = false
    }
    await this.#recordStart()
    return unclear.length === 0
  }

  /** Records changed start data before the waiting changes are applied or in their transaction, never after them. */
  async #recordStart(): Promise<void> {
    if (this.#isStartRecorded) return
    const { ledger, stream } = this.#parts
    const statement = ledger.startStatement(stream, this.#startRecord)
    if (this.applyWorkers === null) await ledger.database.batch([statement])
    this.#isStartRecorded = this.applyWorkers === null || (await this.applyWorkers.note([statement]))
  }

  /** Halts a stream that reported a changed table, after a check of the source, which usually gives more detail. */
  async haltForChange({ message, where: table = '' }: SluiceError): Promise<never> {
    await this.verify()
    const { ledger, stream, changes } = this.#parts
    const { position } = await ledger.progress(stream, changes)
    return await this.#halt([{ code: 'TABLE_CHANGED', tables: [table], message, since: position }])
  }

  /** Checks the source, because a server without this slot may be another server. @returns the more exact error */
  async explain(error: SluiceError): Promise<SluiceError> {
    if (this.#isHalted) return error
    try {
      await this.verify()
      return error
    } catch (found) {
      return asSluiceError(found)
    }
  }

  async #halt(faults: readonly StreamFault[]): Promise<never> {
    const { ledger, stream, run } = this.#parts
    await this.applyWorkers?.giveUp()
    const error = await haltStream(ledger, stream, faults, run)
    this.#isHalted = true
    this.#parts.alerts?.raise(error.code === 'SLOT_LOST' ? 'slot-lost' : 'error', error.message)
    throw error
  }
}

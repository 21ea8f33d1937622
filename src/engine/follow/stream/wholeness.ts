/** Whether a stream is whole: what its source shows is compared with what was noted when it began. What may be missing halts it. */
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import type { StreamBirth, StreamFault } from '../../../model/follow/port.ts'
import { refuseElsewhere } from './follower.ts'
import { haltStream } from './halt.ts'
import type { Lanes } from '../apply/lanes.ts'
import type { LoopParts } from '../apply/loop-parts.ts'

export class Wholeness {
  /** Of the session that runs; null between two. */
  lane: Lanes | null = null
  readonly #parts: Pick<LoopParts, 'changes' | 'ledger' | 'stream' | 'tables' | 'run' | 'alerts' | 'to'>
  #birth: StreamBirth
  /** What a session before this one has learned of it, and may not have noted. */
  #isBirthNoted = true
  #isHalted = false

  constructor(parts: LoopParts, birth: StreamBirth) {
    this.#parts = parts
    this.#birth = birth
  }

  /** What the stream began with, and what has come to it since that takes nothing from it. */
  get birth(): StreamBirth {
    return this.#birth
  }

  /**
   * @returns false where only changes that are not applied yet can tell whether something was lost
   * @throws SluiceError STREAM_HALTED, SLOT_LOST, STREAM_MOVED
   */
  async verify(): Promise<boolean> {
    const { changes, ledger, stream, tables, run, to } = this.#parts
    await refuseElsewhere(stream, this.#birth, changes, to, run)
    // A batch that is committed between both looks would be ahead of what was read.
    await this.lane?.written()
    const { position } = await ledger.progress(stream, changes)
    const sources = tables.map((one) => one.source)
    const { faults, moved, unclear } = await changes.verify(
      this.#birth,
      sources,
      changes.position(position),
      run.interrupt.abort,
    )
    if (faults.length > 0) return await this.#halt(faults)
    if (Object.keys(moved).length > 0) {
      this.#birth = { ...this.#birth, shapes: { ...this.#birth.shapes, ...moved } }
      this.#isBirthNoted = false
    }
    await this.#noteBirth()
    return unclear.length === 0
  }

  /** With the rows that wait, or before them: what is applied is never ahead of what is known of it. */
  async #noteBirth(): Promise<void> {
    if (this.#isBirthNoted) return
    const { ledger, stream } = this.#parts
    const statement = ledger.birthStatement(stream, this.#birth)
    if (this.lane === null) await ledger.database.batch([statement])
    this.#isBirthNoted = this.lane === null || (await this.lane.note([statement]))
  }

  /** A table is no longer what was planned, as the stream told: a look at the source says the same in more words, or more. */
  async reshaped({ message, where: table = '' }: SluiceError): Promise<never> {
    await this.verify()
    const { ledger, stream, changes } = this.#parts
    const { position } = await ledger.progress(stream, changes)
    return await this.#halt([{ code: 'TABLE_CHANGED', tables: [table], message, since: position }])
  }

  /** A server that has no such slot may be another one: a look at it says so. */
  async explained(error: SluiceError): Promise<SluiceError> {
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
    await this.lane?.giveUp()
    const error = await haltStream(ledger, stream, faults, run)
    this.#isHalted = true
    this.#parts.alerts?.happened(error.code === 'SLOT_LOST' ? 'slot-lost' : 'error', error.message)
    throw error
  }
}

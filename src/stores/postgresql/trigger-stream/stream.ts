/** Changes that triggers have noted, round after round. */
import { performance } from 'node:perf_hooks'
import type { Change, LogPosition } from '../../../model/copy/change.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import { restUnder, throwIfAborted } from '../../../shared/abort.ts'
import type { SourceView } from '../../copy-port.ts'
import type { FollowedTable, StreamBirth } from '../../follow-port.ts'
import type { MomentStream } from '../../moment-port.ts'
import { sourceError } from '../copy/errors.ts'
import { CopySession } from '../copy/session.ts'
import { heldView } from '../copy/source.ts'
import { tableSql } from '../copy/sql.ts'
import { underSignal } from '../copy/under-signal.ts'
import { committed } from '../maintenance/patience.ts'
import { flushLog, lsnOf, lsnText } from '../replication/lsn.ts'
import type { PostgresSettings } from '../settings.ts'
import { forgetSql, logOf } from './log.ts'
import { notedOf } from './noted-shape.ts'
import { insertPosition, WRITTEN } from './position.ts'
import { toldRound, type NotedTable, type Round } from './round.ts'

/** Between two looks at logs that are empty, ms. */
const [FIRST_REST_MS, MOST_REST_MS] = [20, 200]

type TriggerStreamWish = {
  readonly settings: PostgresSettings
  readonly birth: StreamBirth
  readonly tables: readonly FollowedTable[]
  readonly from: LogPosition
  /** Told of each transaction that has emptied a table. @param table by place */
  readonly onEmptied: (table: number, txid: string) => void
  /** Sessions of a view at the same time. */
  readonly readers: number
  readonly signal: AbortSignal
}

/** A round that is told, and not durable in the target yet. */
type Told = Round & { readonly position: LogPosition }

/** Changes of a round with its end. @returns whether the session is in a transaction that has the snapshot of the round */
type Telling = AsyncGenerator<readonly Change[], boolean>

export class TriggerStream implements MomentStream {
  readonly #wish: TriggerStreamWish
  readonly #noted: readonly NotedTable[]
  readonly #reader: CopySession
  readonly #writer: CopySession
  #telling: Telling | null = null
  #told: Told | null = null
  #forgetting: Promise<void> | null = null
  #last: LogPosition
  #end: LogPosition
  #restMs = FIRST_REST_MS

  /** @throws SluiceError as `connect` does */
  static async open(wish: TriggerStreamWish): Promise<TriggerStream> {
    const { settings, signal } = wish
    throwIfAborted(signal)
    const reader = await ownSession(settings, 'read')
    try {
      return new TriggerStream(wish, reader, await ownSession(settings, 'write'))
    } catch (error) {
      reader.destroy()
      throw error
    }
  }

  private constructor(wish: TriggerStreamWish, reader: CopySession, writer: CopySession) {
    const { birth, tables, from } = wish
    this.#wish = wish
    this.#reader = reader
    this.#writer = writer
    this.#last = from
    this.#end = from
    this.#noted = tables.map((table) => ({
      table,
      log: logOf(birth, table),
      shape: notedOf(birth.shapes[tableText(table.table.table)]).shape,
    }))
  }

  get end(): LogPosition {
    return this.#end
  }

  async next(waitMs: number): Promise<readonly Change[]> {
    const until = performance.now() + waitMs
    return await this.#asSource(async () => {
      for (;;) {
        throwIfAborted(this.#wish.signal)
        await this.#forgotten()
        // Its notes are still there: the next round would tell them again.
        if (this.#told !== null) return []
        if (this.#telling !== null) {
          const { value, done } = await this.#telling.next()
          if (done !== true) return value
          this.#telling = null
        }
        const idle = await this.#look()
        if (this.#telling !== null) continue
        const left = until - performance.now()
        if (left > 0) await restUnder(this.#wish.signal, Math.min(left, this.#rest()))
        if (idle !== null) return [{ type: 'idle', position: idle }]
        if (left <= 0) return []
      }
    })
  }

  async moment(take: (changes: readonly Change[]) => Promise<void>): Promise<SourceView | null> {
    const { settings, readers, signal } = this.#wish
    return await this.#asSource(async () => {
      await this.#forgotten()
      if (this.#told !== null || this.#telling !== null) throw new Error('a moment begins between two rounds')
      const session = await ownSession(settings, 'read')
      try {
        const telling = this.#tell(session, await insertPosition(session))
        for (;;) {
          throwIfAborted(signal)
          const { value, done } = await telling.next()
          if (done !== true) await take(value)
          else if (value) return await heldView(settings, session, readers)
          else break
        }
        await session.close()
        return null
      } catch (error) {
        session.destroy()
        throw error
      }
    })
  }

  confirm(position: LogPosition): void {
    const told = this.#told
    if (told === null || position < told.position || this.#forgetting !== null) return
    const { birth } = this.#wish
    const logs = told.tables.flatMap((place) => this.#noted[place]?.log ?? [])
    const sql = forgetSql(birth.slot, logs, told.snapshot, lsnText(told.position))
    const forgetting = (async () => {
      await this.#writer.begin('ISOLATION LEVEL READ COMMITTED READ WRITE')
      await this.#writer.ask(sql)
      await committed(this.#writer)
    })()
    // Who asks for more hears what became of it.
    forgetting.catch(() => undefined)
    this.#forgetting = forgetting
  }

  ask(): void {
    this.#restMs = FIRST_REST_MS
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#forgetting?.catch(() => undefined)
    this.#reader.destroy()
    await this.#writer.close()
  }

  async #forgotten(): Promise<void> {
    if (this.#forgetting === null) return
    await this.#forgetting
    this.#forgetting = null
    this.#told = null
  }

  async *#tell(session: CopySession, position: LogPosition): Telling {
    const { onEmptied } = this.#wish
    const round = yield* toldRound({
      session,
      tables: this.#noted,
      position,
      flush: () => flushLog(this.#writer),
      onEmptied,
    })
    if (session === this.#reader) await session.rollBack()
    this.#telling = null
    if (round === null) return false
    this.#restMs = FIRST_REST_MS
    if (round.tables.length === 0) yield [{ type: 'idle', position: this.#last }]
    else {
      if (position > this.#last) this.#last = position
      this.#told = { ...round, position: this.#last }
      yield [{ type: 'commit', end: this.#last }]
    }
    return true
  }

  /** Begins a round where something is noted. @returns where the source is, if nothing is and it has moved */
  async #look(): Promise<LogPosition | null> {
    const position = await insertPosition(this.#reader)
    this.#end = position
    const noted = this.#noted.map(({ log }) => `EXISTS (SELECT FROM ${tableSql(log.table)})`).join(' OR ')
    const [row] = await this.#reader.ask(`SELECT ${noted}, ${WRITTEN}`)
    if (row?.[0] === 't') {
      this.#telling = this.#tell(this.#reader, position)
      return null
    }
    const written = lsnOf(row?.[1] ?? '')
    const idle = written < position ? written : position
    if (idle <= this.#last) return null
    this.#last = idle
    return idle
  }

  #rest(): number {
    const rest = this.#restMs
    this.#restMs = Math.min(rest * 2, MOST_REST_MS)
    return rest
  }

  async #asSource<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await underSignal(this.#reader, this.#wish.signal, body)
    } catch (error) {
      throw sourceError(error, this.#wish.settings)
    }
  }
}

/** A session under whose search path nothing of others is found. */
async function ownSession(settings: PostgresSettings, mode: 'read' | 'write'): Promise<CopySession> {
  const session = await CopySession.open(settings, mode)
  try {
    await session.ask(`SET search_path TO ''`)
    return session
  } catch (error) {
    session.destroy()
    throw error
  }
}

/** Decodes blocks of walsender messages into changes of the followed tables. */
import type { Change, LogPosition, RowChange } from '../../../../model/copy/change.ts'
import { tableText } from '../../../../model/copy/column-type.ts'
import { PublicationMissing, ServerMessage } from './errors.ts'
import { HEADER } from './frames.ts'
import {
  broken,
  code,
  DELETE,
  INSERT,
  OutputReader,
  RELATION,
  TYPE,
  UPDATE,
  type OutputMessage,
  type RelationMessage,
} from './pgoutput.ts'
import type { ReplicatedRelation, ReplicatedRelations } from './relations.ts'
import { MisfitRow, type TableRows } from './table-rows.ts'

/** Limits of a batch: changes, and bytes of their messages. */
const BATCH = 4096
const BATCH_BYTES = 512 * 1024

const COPY_DATA = code('d')
const COPY_DONE = code('c')
const COMPLETE = code('C')
const ERROR = code('E')
const NOTICE = code('N')
const WAL = code('w')
const KEEPALIVE = code('k')
/** Bytes of a WAL message before its content: letter, start position, end of the log, clock. */
const WAL_HEADER = 1 + 8 + 8 + 8

/** Largest buffer, in bytes, whose rows may be returned undecoded. */
const MOST_BLOCK = 256 * 1024

type RowMessage = Extract<OutputMessage, { type: 'insert' | 'update' | 'delete' }>

type ChangesOptions = {
  readonly ownOnly?: boolean
  readonly since?: readonly LogPosition[]
  readonly isFramed?: boolean
}

export class Changes {
  readonly #relations: ReplicatedRelations
  readonly #from: LogPosition
  readonly #ownOnly: boolean
  readonly #since: readonly LogPosition[]
  readonly #isFramed: boolean
  readonly #reader: OutputReader
  /** Tables already reported as changed. */
  readonly #reshaped = new Set<number>()
  /** Relation messages directly before the next message. */
  #described: readonly RelationMessage[] = []
  #block: Buffer = Buffer.alloc(0)
  #at = 0
  #batch: Change[] = []
  #bytes = 0
  #state: 'between' | 'within' | 'skipping' = 'between'
  /** Start of the commit record of the current transaction. */
  #commit: LogPosition = 0n
  /**
   * True if rows of the current transaction are left out, because it was applied under a replication origin
   * (`ownOnly`).
   */
  #foreign = false
  /** Every change before this position was decoded: `take` has returned it, or will return it. */
  notified: LogPosition

  /**
   * @param from transactions whose commit record begins before it are left out
   * @param options.ownOnly leaves out rows of transactions under a replication origin; servers before version 16 send
   * them even if not requested
   * @param options.isFramed returns whole rows as bytes, see `RowFrame`
   * @param options.since a position for each table: rows of transactions whose commit record begins before it are left
   * out, even if their columns do not match
   */
  constructor(
    relations: ReplicatedRelations,
    from: LogPosition,
    { ownOnly = false, since = [], isFramed = false }: ChangesOptions = {},
  ) {
    this.#relations = relations
    this.#reader = new OutputReader(relations.wire.text)
    this.#from = from
    this.#ownOnly = ownOnly
    this.#since = since
    this.#isFramed = isFramed
    this.notified = from
  }

  /** True if the last block was read completely. */
  get isEmpty(): boolean {
    return this.#at >= this.#block.length
  }

  get isBatch(): boolean {
    return this.#batch.length >= BATCH || this.#bytes >= BATCH_BYTES
  }

  /** @param block whole messages; the previous block must have been read completely */
  give(block: Buffer): void {
    this.#block = block
    this.#at = 0
  }

  /** Changes read since the last call. */
  take(): readonly Change[] {
    const batch = this.#batch
    this.#batch = []
    this.#bytes = 0
    return batch
  }

  /**
   * Reads up to the end of the block or of a batch.
   * @throws SluiceError BAD_STREAM, VALUE_REFUSED; PublicationMissing; ServerMessage if the server ended the stream
   */
  async read(): Promise<void> {
    const block = this.#block
    while (this.#at < block.length && !this.isBatch) {
      const at = this.#at
      const end = at + 1 + block.readUInt32BE(at + 1)
      this.#at = end
      this.#bytes += end - at
      switch (block[at] ?? 0) {
        case COPY_DATA: {
          const learning = this.#data(block, at + HEADER, end)
          if (learning !== null) await learning
          break
        }
        case ERROR:
          throw new ServerMessage(block.subarray(at + HEADER, end))
        case NOTICE: {
          const notice = new ServerMessage(block.subarray(at + HEADER, end))
          if (notice.skipsPublication) throw new PublicationMissing(notice.message)
          break
        }
        case COPY_DONE:
        case COMPLETE:
          throw new Error('Connection terminated: the server ended the stream')
      }
    }
  }

  #data(block: Buffer, at: number, end: number): Promise<void> | null {
    const kind = block[at]
    if (kind === WAL) {
      if (this.#described.length > 0) this.#partition(block, at + WAL_HEADER, end)
      const framed = this.#isFramed && this.#state === 'within' ? this.#framed(block, at + WAL_HEADER, end) : null
      if (framed === null && this.#isUnread(block, at + WAL_HEADER, end)) return null
      if (framed === null) return this.#output(this.#reader.read(block, at + WAL_HEADER, end))
      this.#batch.push(framed)
      return null
    }
    if (kind !== KEEPALIVE || end - at < 1 + 8) throw broken('a message of the walsender is unknown')
    this.#idle(block.readBigUInt64BE(at + 1))
    return null
  }

  /** @returns null if it is no row, or a row that has to be decoded */
  #framed(block: Buffer, at: number, end: number): RowChange | null {
    // Each frame keeps the whole buffer in memory, and a batch may hold thousands of frames.
    if (block.buffer.byteLength > MOST_BLOCK) return null
    const kind = block[at]
    if (!isRow(kind) || end - at < 1 + 4) return null
    const relation = this.#relations.of(block.readUInt32BE(at + 1))
    if (relation === null || !('rows' in relation) || !this.#isReported(relation)) return null
    return relation.rows.frame(block, at, end)
  }

  /** True for a row of a table that is not followed, or not any more: the types of its values are unknown. */
  #isUnread(block: Buffer, at: number, end: number): boolean {
    const kind = block[at]
    if (!isRow(kind) || end - at < 1 + 4) return false
    const relation = this.#followed(block.readUInt32BE(at + 1))
    return relation === null || !('rows' in relation)
  }

  #output(message: OutputMessage): Promise<void> | null {
    switch (message.type) {
      case 'insert':
      case 'update':
      case 'delete':
        this.#row(message)
        return null
      case 'truncate':
        this.#truncate(message.relations)
        return null
      case 'relation':
        this.#described = [...this.#described, message]
        return this.#relations.see(message)
      case 'begin':
        if (this.#state !== 'between') throw broken('a transaction begins within another one')
        this.#state = message.commit < this.#from ? 'skipping' : 'within'
        this.#commit = message.commit
        if (this.#state === 'within') this.#batch.push(message)
        return null
      case 'commit':
        if (this.#state === 'between') throw broken('a transaction ends without a begin')
        if (this.#state === 'within') {
          this.#batch.push(message)
          if (message.end > this.notified) this.notified = message.end
        }
        this.#state = 'between'
        this.#foreign = false
        return null
      case 'origin':
        this.#foreign = this.#ownOnly
        return null
      case 'other':
        return null
    }
  }

  /**
   * Finds the first row of a partition: the server sends the Relation message of the root, that of the partition, then
   * the row under the OID of the root. Reports a new partition, and one whose rows cannot be read.
   */
  #partition(block: Buffer, at: number, end: number): void {
    const kind = block[at]
    if (kind === RELATION || kind === TYPE) return
    const [root, partition] = this.#described.slice(-2)
    this.#described = []
    if (root === undefined || partition === undefined || root.id === partition.id) return
    if (!isRow(kind) || end - at < 1 + 4 || block.readUInt32BE(at + 1) !== root.id) return
    const relation = this.#followed(root.id)
    if (relation === null || !('rows' in relation)) return
    const { table } = relation
    const misfit = this.#relations.partitionMisfit(table, root, partition)
    if (misfit !== null) {
      this.#relations.dismiss(root.id, table, misfit)
      this.#followed(root.id)
    } else if (this.#relations.isNewPartition(table, partition.id)) {
      this.#batch.push({ type: 'partition', table, id: String(partition.id), name: tableText(partition) })
    }
  }

  #row(message: RowMessage): void {
    const relation = this.#followed(message.relation)
    if (relation === null || !('rows' in relation)) return
    try {
      this.#batch.push(changed(relation.rows, message))
    } catch (error) {
      if (!(error instanceof MisfitRow)) throw error
      this.#relations.dismiss(message.relation, relation.table, error.message)
      this.#followed(message.relation)
    }
  }

  #truncate(ids: readonly number[]): void {
    const found = ids.map((id) => this.#followed(id)).filter((relation) => relation !== null && 'rows' in relation)
    const tables = [...new Set(found.map((relation) => (relation as ReplicatedRelation).table))]
    if (tables.length > 0) this.#batch.push({ type: 'truncate', tables })
  }

  /**
   * Table of a change; null if the change is left out. If the definition of the table has changed, reports this once.
   */
  #followed(id: number): ReplicatedRelation | null {
    if (this.#state === 'between') throw broken('a change is outside of a transaction')
    const relation = this.#relations.of(id)
    if (relation === null || !this.#isReported(relation)) return null
    if ('rows' in relation) return relation
    this.#reshaped.add(relation.table)
    this.#batch.push({ type: 'reshaped', table: relation.table, reason: relation.misfit })
    return relation
  }

  #isReported({ table }: ReplicatedRelation): boolean {
    if (this.#state === 'skipping' || this.#foreign) return false
    if (this.#reshaped.size > 0 && this.#reshaped.has(table)) return false
    return this.#commit >= (this.#since[table] ?? 0n)
  }

  /** A keepalive reports the server's position; within a transaction it has no meaning. */
  #idle(position: LogPosition): void {
    if (this.#state !== 'between' || position <= this.notified) return
    this.notified = position
    if (this.#batch.at(-1)?.type === 'idle') this.#batch.pop()
    this.#batch.push({ type: 'idle', position })
  }
}

function isRow(kind: number | undefined): boolean {
  return kind === INSERT || kind === UPDATE || kind === DELETE
}

function changed(rows: TableRows, message: RowMessage): Change {
  switch (message.type) {
    case 'insert':
      return rows.insert(message.row)
    case 'update':
      return rows.update(message.old, message.row)
    case 'delete':
      return rows.delete(message.old)
  }
}

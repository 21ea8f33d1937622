/**
 * The transaction of one chunk. Triggers and foreign keys of the table fire as for any session: without them a copy
 * could leave rows that the target's owner has forbidden. For a table with a replication stream they do not fire
 * (`pastTriggers`): the triggers of the source have fired, and the stream replicates their changes. Rows that overwrite
 * or keep rows with the same key are staged in a temporary table: COPY has no ON CONFLICT.
 */
import { createHash } from 'node:crypto'
import { keyTextOf } from '../../../model/copy/key-text.ts'
import { tableText } from '../../../model/copy/column-type.ts'
import type { Digest, FrameFormat, Row } from '../../../model/copy/rows.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { ChunkRequest, ChunkWriter, DigestRequest } from '../../../model/copy/target-port.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import type { Closing } from '../../../model/run/ledger-port.ts'
import { needKeyLookup, digestOfKeys, rowKeysOf } from '../../common/key-digest.ts'
import type { PostgresSettings } from '../server/settings.ts'
import { commitChunk } from './commit.ts'
import { copyRows, FRAME_FORMATS, framesQuery } from './copy-rows.ts'
import { postgresSelection } from '../server/cells.ts'
import { encoder } from '../server/encode.ts'
import { postgresTargetError } from '../server/errors.ts'
import { batches } from '../server/lines.ts'
import { refuseCascades, type PostgresRelation } from '../server/relation.ts'
import { countPostgresRows, digestByReading, digestPostgresRows, type DigestSource } from './row-digest.ts'
import type { CopySession } from '../server/session.ts'
import { amongSql, columnList, CONSTRAINTS_NOW, tableFromSql, orderSql, rangeSql, tableSql } from '../server/sql.ts'
import { underSignal } from '../server/under-signal.ts'
import { quoteName } from '../server/connect.ts'

const STORED = { rows: 1000, bytes: 1024 * 1024 }
/** Maximum number of keys in one statement. */
const KEYS_AT_ONCE = 5000

/** Reads by the index of the key, in key order: a sort of the rows would spill to disk. */
const BY_INDEX = 'SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off'

export class PostgresWriter implements ChunkWriter {
  readonly #request: ChunkRequest
  readonly #relation: PostgresRelation
  readonly #session: CopySession
  readonly #settings: PostgresSettings
  readonly #release: () => Promise<void>
  readonly #table: string
  readonly #encode: (rows: readonly Row[]) => Generator<Buffer>
  readonly #upsert: Upsert | null
  #begun = false
  #isSaved = false
  #ended = false
  /** Error after which the transaction cannot continue. */
  #failure: unknown = null

  /** @param session in a transaction that belongs to this writer; `release` is called after its end */
  constructor(
    request: ChunkRequest,
    relation: PostgresRelation,
    session: CopySession,
    settings: PostgresSettings,
    giveBack: () => Promise<void>,
  ) {
    this.#request = request
    this.#relation = relation
    this.#session = session
    this.#settings = settings
    this.#release = giveBack
    this.#table = tableText(request.table.table)
    this.#encode = encoder(this.#table, request.columns)
    const merges = request.onExisting === 'upsert' || (request.onExisting === 'append' && request.table.key.length > 0)
    this.#upsert = merges ? new Upsert(request, relation, session) : null
  }

  get session(): string {
    return this.#session.name
  }

  get seesRange(): boolean {
    return this.#request.sortsAlike !== false && this.#request.range.by !== 'block'
  }

  hasRows(): Promise<boolean> {
    return this.#do(async () => {
      return await this.#session.isTrue(`SELECT EXISTS (SELECT FROM ${this.#from} WHERE ${this.#condition()})`)
    })
  }

  async write(rows: readonly Row[]): Promise<number> {
    if (rows.length === 0) return 0
    await this.#begin()
    if (!this.#request.careful) return this.#do(() => this.#write(rows))
    // The server keeps a lock for each open savepoint until the end of the transaction.
    const released = this.#isSaved ? 'RELEASE SAVEPOINT sluice_write; ' : ''
    await this.#do(() => this.#session.ask(`${released}SAVEPOINT sluice_write`))
    this.#isSaved = true
    try {
      return await this.#do(() => this.#write(rows))
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'ROW_REFUSED' || !this.#session.alive) throw error
      this.#failure = null
      await this.#do(() => this.#session.ask('ROLLBACK TO SAVEPOINT sluice_write'))
      throw error
    }
  }

  async writeFrames(frames: AsyncIterable<Buffer>, format: FrameFormat): Promise<bigint> {
    if (this.#upsert !== null) throw new Error('frames cannot be merged with existing rows')
    await this.#begin()
    return this.#do(() => this.#session.copyIn(copyStatement(this.#request, FRAME_FORMATS[format]), frames))
  }

  async digest({ scheme, only, frames, columns: other }: DigestRequest): Promise<Digest> {
    await this.#begin()
    // Deferred triggers would change rows at the commit, after they were compared.
    await this.#do(() => this.#session.ask(CONSTRAINTS_NOW))
    const columns = other ?? this.#request.columns
    if (only !== undefined && needKeyLookup(this.#request)) {
      return digestOfKeys(
        rowKeysOf(only, this.#request),
        ({ keys }) =>
          this.#do(() =>
            digestPostgresRows(this.#session, {
              columns,
              from: this.#from,
              condition: amongSql(this.#request.table, keys),
              table: this.#table,
            }),
          ),
        KEYS_AT_ONCE,
      )
    }
    return this.#do(() => {
      const source: DigestSource = {
        columns,
        from: this.#from,
        condition: this.#condition(),
        table: this.#table,
      }
      if (scheme === 'count') return countPostgresRows(this.#session, source)
      if (scheme === 'echo') return this.#echo(frames ?? 'pg-binary')
      if (only === undefined) return digestPostgresRows(this.#session, source)
      const places = this.#keyPlaces(columns)
      const keyOf = (row: Row): string => keyTextOf(row, places)
      return digestByReading(this.#session, source, (row) => only.has(keyOf(row)))
    })
  }

  stored(columns: readonly WriteColumn[]): Promise<readonly Row[]> {
    return this.#do(async () => {
      const found = `FROM ${this.#from} WHERE ${this.#condition()}`
      // Lock first, in its own statement: only later statements see the commits that this one waited for.
      await this.#session.ask(`SELECT ${found} FOR NO KEY UPDATE`)
      const { pieces } = copyRows(this.#session, `SELECT ${columns.map(postgresSelection).join(', ')} ${found}`, 'text')
      const stored = { key: this.#request.table.key, odd: new WeakSet<Row>() }
      const rows: Row[] = []
      for await (const batch of batches(pieces, { table: this.#table, columns, size: STORED, stored }))
        rows.push(...batch.rows)
      return rows
    })
  }

  async commit(closing: Closing): Promise<'committed' | 'fenced'> {
    await this.#begin()
    this.#refuseEnded()
    try {
      const outcome = await commitChunk(this.#session, closing, this.#settings, this.#request.signal)
      this.#ended = true
      return outcome
    } catch (error) {
      throw this.#failed(error)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) {
      this.#ended = true
      await this.#session.rollBack()
    }
    await this.#release()
  }

  get #from(): string {
    return tableFromSql(this.#relation)
  }

  #condition(): string {
    const { table, range } = this.#request
    if (range.by === 'block') throw new Error('a range of blocks of the source cannot be used in the target')
    return rangeSql(table, this.#relation, range, null)
  }

  /** Prepares writes, also if the chunk has no rows: the target may have rows of its range that the source deleted. */
  async #begin(): Promise<void> {
    if (this.#begun) return
    this.#begun = true
    const { onExisting, careful } = this.#request
    await this.#do(async () => {
      // Deferred constraints fail at the commit, without naming a row.
      if (careful) await this.#session.ask(CONSTRAINTS_NOW)
      if (onExisting === 'replace-range') await this.#empty()
      await this.#upsert?.begin()
    })
  }

  /** @throws SluiceError TABLE_REFUSED if rows of other tables would be deleted or changed */
  async #empty(): Promise<void> {
    await refuseCascades(this.#session, this.#relation)
    await this.#session.ask(`DELETE FROM ${this.#from} WHERE ${this.#condition()}`)
    // A foreign key may have been added before the DELETE locked the table.
    await refuseCascades(this.#session, this.#relation)
  }

  async #write(rows: readonly Row[]): Promise<number> {
    if (this.#upsert !== null) return this.#upsert.write(this.#encode(rows))
    const taken = await this.#session.copyIn(copyStatement(this.#request, 'text'), this.#encode(rows))
    return Number(taken)
  }

  async #echo(format: FrameFormat): Promise<Digest> {
    const { table, columns } = this.#request
    await this.#session.ask(BY_INDEX)
    const names = columns.map(({ name }) => name)
    const query = framesQuery(names, this.#from, this.#condition(), orderSql(table))
    const copied = copyRows(this.#session, query, FRAME_FORMATS[format])
    const hash = createHash('sha256')
    for await (const piece of copied.pieces) hash.update(piece)
    return { rows: copied.rows(), sum: hash.digest('hex') }
  }

  #keyPlaces(columns: ChunkRequest['columns']): readonly number[] {
    const { table } = this.#request
    return table.key.map((key) => {
      const at = columns.findIndex(({ name }) => name === key)
      if (at === -1) throw new Error(`${this.#table} must be proved by its key, but ${key} is not copied`)
      return at
    })
  }

  async #do<T>(body: () => Promise<T>): Promise<T> {
    this.#refuseEnded()
    try {
      return await underSignal(this.#session, this.#request.signal, body)
    } catch (error) {
      throw this.#failed(error)
    }
  }

  #refuseEnded(): void {
    if (this.#ended) throw new Error('the transaction of the chunk has ended')
    if (this.#failure !== null) throw this.#failure
  }

  #failed(error: unknown): unknown {
    this.#failure = postgresTargetError(error, this.#settings, this.#table)
    return this.#failure
  }
}

function copyStatement({ table, columns }: ChunkRequest, format: 'text' | 'binary'): string {
  // Columns that the server computes cannot be written.
  const names = columns.filter(({ column }) => column.generated !== true).map(({ name }) => name)
  const options = format === 'binary' ? ' (FORMAT binary)' : ''
  return `COPY ${tableSql(table.table)} (${columnList(names)}) FROM STDIN${options}`
}

const STAGE = 'pg_temp.sluice_rows'

/** @param periodKey constraint of a key WITHOUT OVERLAPS: ON CONFLICT accepts only its name, and only DO NOTHING */
function keySql(key: readonly string[], periodKey: string | null): string {
  return periodKey === null ? `(${columnList(key)})` : `ON CONSTRAINT ${quoteName(periodKey)}`
}

class Upsert {
  readonly #session: CopySession
  readonly #create: string
  readonly #copy: string
  readonly #merge: string

  constructor({ table, columns, onExisting }: ChunkRequest, relation: PostgresRelation, session: CopySession) {
    const names = columns.filter(({ column }) => column.generated !== true).map(({ name }) => name)
    const list = columnList(names)
    const changed = names.filter((name) => !table.key.includes(name) && !relation.alwaysNumbered.includes(name))
    const change =
      changed.length === 0 || onExisting === 'append'
        ? 'DO NOTHING'
        : `DO UPDATE SET ${changed.map((name) => `${quoteName(name)} = EXCLUDED.${quoteName(name)}`).join(', ')}`
    this.#session = session
    this.#create = `CREATE TEMPORARY TABLE sluice_rows ON COMMIT DROP AS SELECT ${list} FROM ${tableFromSql(relation)} WITH NO DATA`
    this.#copy = `COPY ${STAGE} (${list}) FROM STDIN`
    this.#merge =
      `INSERT INTO ${tableSql(table.table)} (${list}) OVERRIDING SYSTEM VALUE SELECT ${list} FROM ${STAGE} ` +
      `ON CONFLICT ${keySql(table.key, onExisting === 'append' ? relation.periodKey : null)} ${change}`
  }

  async begin(): Promise<void> {
    await this.#session.ask(this.#create)
  }

  /** @returns number of rows that were added or changed */
  async write(pieces: Iterable<Buffer>): Promise<number> {
    await this.#session.copyIn(this.#copy, pieces)
    const changed = await this.#session.run(this.#merge)
    await this.#session.ask(`TRUNCATE ${STAGE}`)
    return changed
  }
}

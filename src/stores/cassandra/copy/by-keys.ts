/** Reads rows of the target one by one, by their keys. */
import type { types } from 'cassandra-driver'
import type { Row } from '../../../model/copy/rows.ts'
import type { WriteColumn } from '../../../model/copy/write-column.ts'
import type { CassandraLink } from '../connect.ts'
import { FallBack } from '../consistency.ts'
import { cassandraDecoder } from './decode.ts'
import type { Parameters } from './row-writes.ts'
import type { CassandraShape } from './shape.ts'
import type { CassandraStatements } from './statements.ts'

/** The whole key of a row; or a partition key, to read only the static columns of the partition. */
export type CassandraRowKey = { readonly values: Parameters; readonly staticOnly: boolean }

const ANY = 0
const ONE = 1
const QUORUM = 4
const EACH_QUORUM = 7

/** Consistency level for reading rows that were written at `writeLevel`: some levels are for writes only. */
export function readLevelFor(writeLevel: number): number {
  if (writeLevel === ANY) return ONE
  return writeLevel === EACH_QUORUM ? QUORUM : writeLevel
}

export class KeyReader {
  readonly #link: CassandraLink
  readonly #shape: CassandraShape
  readonly #statements: CassandraStatements
  readonly #fallBack: FallBack<null>

  /** @param fallBackToOne true if a read may fall back to ONE, because the writes may */
  constructor(
    link: CassandraLink,
    shape: CassandraShape,
    statements: CassandraStatements,
    fallBackToOne: boolean,
    signal: AbortSignal,
    level: number = readLevelFor(link.writeLevel),
  ) {
    this.#link = link
    this.#shape = shape
    this.#statements = statements
    this.#fallBack = new FallBack({
      level,
      fallBackToOne,
      retryLimitMs: link.settings.retryMs,
      onRetry: link.onRetry,
      signal,
    })
  }

  /**
   * @param timed columns whose write times and TTLs are read too
   * @returns values of the driver in the order of the names, then write time and TTL for each of `timed`; null if there
   * is no such row
   * @throws errors of the driver
   */
  async read(
    names: readonly string[],
    { values, staticOnly }: CassandraRowKey,
    timed: readonly string[] = [],
  ): Promise<readonly unknown[] | null> {
    const { partition, clustering } = this.#shape
    const key = staticOnly ? partition : [...partition, ...clustering]
    const sql = this.#statements.select(names, key, timed)
    const { rows } = await this.#fallBack.run(
      (level): Promise<types.ResultSet> =>
        this.#link.client.execute(sql, values as (Buffer | null)[], {
          prepare: true,
          consistency: level,
          isIdempotent: true,
        }),
      null,
    )
    return (rows[0]?.values() as unknown[] | undefined) ?? null
  }
}

/** Reads whole rows in canonical form; clustering and plain columns of a partition without rows are null. */
export class CassandraKeyRowReader {
  readonly #reader: KeyReader
  readonly #all: readonly string[]
  readonly #shared: readonly string[]
  readonly #sharedAt: readonly number[]
  readonly #decoders: readonly ReturnType<typeof cassandraDecoder>[]

  constructor(reader: KeyReader, { columns: known }: CassandraShape, columns: readonly WriteColumn[]) {
    this.#reader = reader
    this.#all = columns.map(({ name }) => name)
    this.#sharedAt = columns.flatMap(({ name }, at) =>
      ['partition', 'static'].includes(known.get(name)?.part ?? '') ? [at] : [],
    )
    this.#shared = this.#sharedAt.map((at) => this.#all[at] ?? '')
    this.#decoders = columns.map(({ name, as }) => {
      const column = known.get(name)
      if (column === undefined) throw new Error(`${name} is not a column of the table`)
      return cassandraDecoder(column.type, as)
    })
  }

  /** @throws errors of the driver; SluiceError VALUE_REFUSED */
  async read(key: CassandraRowKey): Promise<Row | null> {
    const values = await this.#reader.read(key.staticOnly ? this.#shared : this.#all, key)
    if (values === null) return null
    if (!key.staticOnly) return this.#decoders.map((decode, at) => decode(values[at] ?? null))
    const row = new Map(this.#sharedAt.map((at, i) => [at, values[i] ?? null]))
    return this.#decoders.map((decode, at) => decode(row.get(at) ?? null))
  }
}

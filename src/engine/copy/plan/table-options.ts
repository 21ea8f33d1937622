/** Options of a run for the plan of a table. */
import type { OnExisting } from '../../../model/copy/plan.ts'
import type { TimeOptions } from '../diff/times.ts'
import type { CopyOperation } from '../operations/copy/declaration.ts'
import type { CassandraOptions } from '../operations/copy/option-types.ts'
import type { Derivation } from '../../../stores/common/derived/index.ts'
import { givenFields } from '../../../shared/given-fields.ts'

export type Verify = 'chunk' | 'count' | 'none'

export type TableOptions = {
  /** Columns of the source, in any order; default: all. */
  readonly columns?: readonly string[]
  /** New names by old ones. */
  readonly rename: ReadonlyMap<string, string>
  readonly where?: string
  readonly onExisting: OnExisting
  readonly acceptLossy: readonly string[]
  readonly acceptAllLossy?: true
  /** Type of decimals in a created table, if the target has no decimal type. */
  readonly decimal?: 'text' | 'real'
  /** Transfer JSON in canonical form, like the version that started the copy. */
  readonly rewritten?: true
  /** Leave out generated columns, and compare them as before decision 0016, like the version that started the copy. */
  readonly ungenerated?: true
  /** The copy was started by a version that wrote collections with the write time and TTL of their row. */
  readonly rowTimes?: true
  /**
   * Transfer values in canonical form even if `Column.exactAs` would keep more, like the version that started the copy.
   */
  readonly trimmed?: true
  /** Plan the columns of the target as if its table were empty, because the copy was started into an empty table. */
  readonly intoEmpty?: true
  /** Compare values of generated columns even if their expressions differ. */
  readonly anyExpression?: true
  readonly chunkRows?: number
  readonly verify: Verify
  /** Columns that identify rows, if the table has no key. */
  readonly key?: readonly string[]
  /** How the copy derives rows from source rows; a later plan of the copy must derive them in the same way. */
  readonly derived?: Derivation
  /** Write times and TTLs that the copy sets itself; absent if it keeps those of the source. */
  readonly times?: TimeOptions
}

/** Options that a copy gives to the plans of its tables. @param acceptLossy columns of the table */
export function tableOptions(operation: CopyOperation, acceptLossy: readonly string[]): TableOptions {
  const { columns, where, chunkRows, key, constants, explodeMap, codecs } = operation
  const derived = givenFields({ constants, explodeMap, codecs })
  return {
    ...(columns === undefined ? {} : { columns }),
    rename: new Map(Object.entries(operation.rename)),
    ...(where === undefined ? {} : { where }),
    onExisting: operation.onExisting,
    acceptLossy,
    ...(operation.acceptAllLossy === true ? { acceptAllLossy: true } : {}),
    ...givenFields({ chunkRows, decimal: operation.decimal }),
    verify: operation.verify,
    ...(key === undefined ? {} : { key }),
    ...(Object.keys(derived).length === 0 ? {} : { derived }),
    ...timesSet(operation.cassandra),
  }
}

/** The options of a copy that set write times and TTLs; empty if there are none. */
function timesSet(options: CassandraOptions = {}): Pick<TableOptions, 'times'> {
  const { ttl, writetime, dropStamps, timesOf, livesOf } = options
  const times = givenFields({ ttl, writetime, dropStamps, timesOf, livesOf })
  return Object.keys(times).length === 0 ? {} : { times }
}

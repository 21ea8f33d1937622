/** What a run wants of the plan of a table. */
import type { OnExisting } from '../../../model/copy/plan.ts'
import type { Derivation } from '../../../stores/common/derived/index.ts'

export type Verify = 'chunk' | 'count' | 'none'

export type TableWishes = {
  /** Columns of the source, in any order; all of them when absent. */
  readonly columns?: readonly string[]
  /** New names by old ones. */
  readonly rename: ReadonlyMap<string, string>
  readonly where?: string
  readonly onExisting: OnExisting
  readonly acceptLossy: readonly string[]
  readonly acceptAllLossy?: true
  /** What decimals become in a table that is made, where the target has none of its own. */
  readonly decimal?: 'text' | 'real'
  /** JSON travels in its canonical form, as in a copy that was begun so. */
  readonly rewritten?: true
  /** Generated columns are left out and compared as by versions before decision 16, as in a copy that was begun so. */
  readonly ungenerated?: true
  /** Chunks of the copy were begun by a version that wrote collections with the write time and TTL of their row. */
  readonly rowTimes?: true
  /** Columns of the target are read as those of an empty table, as in a copy that was begun into one. */
  readonly intoEmpty?: true
  /** Values of generated columns are compared, whatever both sides compute them from. */
  readonly anyExpression?: true
  readonly chunkRows?: number
  readonly verify: Verify
  /** Columns that tell rows apart, where the table does not say. */
  readonly key?: readonly string[]
  /** What the copy has made of the rows of its source on their way; who plans again has to make it too. */
  readonly derived?: Derivation
}

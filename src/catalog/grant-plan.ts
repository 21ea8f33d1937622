/** A plan of grants: which login gets which rights of a catalog, and the statements for it. */
import type { AccessLevel } from './access-level.ts'

export type GrantOptions = { readonly level: AccessLevel; readonly to: string }

export type GrantPlan = {
  /** The statements in the order of execution, without semicolons. */
  readonly statements: readonly string[]
  /** Notes for the user: limits of the statements, and effects outside of the catalog. */
  readonly notes: readonly string[]
  /** Role that may run the statements. */
  readonly by: string
  /** Why it is unknown whether the role exists; then statements are printed, but not run. */
  readonly unsure?: string
}

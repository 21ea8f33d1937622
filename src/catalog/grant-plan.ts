/** Who is to get which rights of a catalog, and the statements that give them. */
import type { AccessLevel } from './access-level.ts'

export type GrantWish = { readonly level: AccessLevel; readonly to: string }

export type GrantPlan = {
  /** In the order in which they are run, without semicolons. */
  readonly statements: readonly string[]
  /** What the statements cannot do, or do beyond the catalog. */
  readonly notes: readonly string[]
  /** Who may run them. */
  readonly by: string
  /** Why it is not known whether the role exists; then statements are printed, and not run. */
  readonly unsure?: string
}

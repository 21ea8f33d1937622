/**
 * Objects that have names of sluice's own tables, but are not plain tables: a view can show rows that were never
 * written, and a trigger can change what sluice writes. For systems without table owners; PostgreSQL has another check.
 */
import { SluiceError } from '../../shared/errors.ts'

/** @param what as in a DROP: `VIEW "migration_runs"` @param on sluice's table that has the trigger */
export type NameConflict = { readonly what: string; readonly on?: string }

/** @returns a SluiceError TABLE_REFUSED that names the object, and how to remove it */
export function nameConflictError({ what, on }: NameConflict, where: string): SluiceError {
  const message =
    on === undefined
      ? `sluice refuses to use the ${what}, which has a name reserved for sluice`
      : `sluice refuses to use its table ${on}: the ${what} is on it`
  return new SluiceError('TABLE_REFUSED', message, {
    where,
    reason:
      'sluice creates plain tables under these names, without triggers: with triggers, recorded values could differ from the written ones',
    hint: `find out who created it, and DROP ${what}; or use another database`,
  })
}

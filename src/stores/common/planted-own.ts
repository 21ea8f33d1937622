/**
 * What stands under names of sluice's own and is no plain table of it, in systems that know no owners of tables: a view shows rows that nobody has written, and a
 * trigger changes what sluice writes. PostgreSQL has owners, and its own rule.
 */
import { SluiceError } from '../../shared/errors.ts'

/** @param what the thing as its DROP names it: `VIEW "migration_runs"` @param on the table of ours that a trigger is on */
export type PlantedOwn = { readonly what: string; readonly on?: string }

/** @returns a SluiceError TABLE_REFUSED that names what is there, and what takes it away */
export function plantedOwn({ what, on }: PlantedOwn, where: string): SluiceError {
  const message =
    on === undefined
      ? `the ${what} has a name of sluice's own, and is not used`
      : `the ${what} is on ${on}, a table of sluice's own`
  return new SluiceError('TABLE_REFUSED', message, {
    where,
    reason:
      'sluice makes plain tables under these names, without triggers: what is noted there would not be what is read back',
    hint: `find out who made it, and DROP ${what}; or use another database`,
  })
}

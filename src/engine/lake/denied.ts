/** What a database refused, in terms of the rights that are missing and the command that gives them. */
import type { AccessLevel, Rights } from '../../catalog/access-level.ts'
import { rightsOf } from '../../catalog/rights.ts'
import { SluiceError } from '../../shared/errors.ts'
import { shellQuote } from '../../shared/shell.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'

/**
 * @param wants what the command has to do with the catalog
 * @returns a better TARGET_DENIED where a right of the login is missing; else what was thrown
 */
export async function explainDenied(database: SqlDatabase, thrown: unknown, wants: AccessLevel): Promise<unknown> {
  if (!(thrown instanceof SluiceError) || thrown.code !== 'TARGET_DENIED') return thrown
  // A server that does not answer this either has said enough.
  const rights = await rightsOf(database).catch(() => null)
  const lacked = rights === null ? null : missingFor(rights, wants)
  if (rights === null || lacked === null) return thrown
  const [level, missing] = lacked
  return new SluiceError('TARGET_DENIED', `${rights.login} may not ${VERBS[level]} this catalog`, {
    ...(thrown.where === undefined ? {} : { where: thrown.where }),
    reason: `it lacks ${missing.join('; ')}`,
    hint: `as an administrator: sluice grants --database-url ${shellQuote(database.label)} --role ${level} --to ${shellQuote(rights.login)} --apply`,
    cause: thrown,
  })
}

const VERBS: Readonly<Record<AccessLevel, string>> = { reader: 'read', importer: 'write', admin: 'make or upgrade' }

function missingFor({ missing }: Rights, wants: AccessLevel): readonly [AccessLevel, readonly string[]] | null {
  const levels: readonly AccessLevel[] = ['reader', 'importer', 'admin']
  for (const level of levels.slice(0, levels.indexOf(wants) + 1)) {
    if (missing[level].length > 0) return [level, missing[level]]
  }
  return null
}

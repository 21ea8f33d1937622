/** `grants`: prints SQL that grants only the rights that a login needs on a catalog; `--apply` also runs it. */
import type { GrantPlan, GrantOptions } from '../../../../catalog/grant-plan.ts'
import { dialectOf } from '../../../../catalog/dialect.ts'
import { dec } from '../../../../model/run/event.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { REPEATABLE, type SqlDatabase, type SqlReader } from '../../../../model/run/sql-port.ts'
import { parseCatalogUrl } from '../../../run/catalog-url.ts'
import { openCatalogDatabase } from '../../../run/registry.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { grants, GrantsOperation } from './declaration.ts'
import { relationNames } from '../../../../catalog/relation-names.ts'

type GrantsRun = RunOf<typeof grants>

export async function performGrants(operation: GrantsOperation, run: GrantsRun): Promise<Ending> {
  const { catalog, role, to, apply } = operation
  const { system } = parseCatalogUrl(catalog)
  if (system.file !== undefined) throw fileHasNoRoles(system.title, system.file.alsoNeeded)
  const plan = await planOf(catalog, { level: role, to })
  const report = (sql: string): void => run.emit({ type: 'statement', sql, applied: apply })
  if (apply && plan.unsure !== undefined) {
    // Do not run the statements: MariaDB would create a user without a password.
    throw new SluiceError('TARGET_DENIED', plan.unsure, {
      hint: `run the same command as ${plan.by}, or without --apply`,
    })
  }
  if (apply) {
    await using database = await openCatalogDatabase(catalog, 'write', { rightsOnly: true })
    await grant(database, plan, report)
  } else {
    for (const sql of plan.statements) report(sql)
  }
  const notes = plan.unsure === undefined ? plan.notes : [plan.unsure, ...plan.notes]
  for (const message of notes) run.emit({ type: 'log', level: 'note', message })
  return { totals: { statements: dec(plan.statements.length), applied: dec(apply ? plan.statements.length : 0) } }
}

async function planOf(catalog: string, options: Parameters<typeof grantPlan>[1]): Promise<GrantPlan> {
  await using database = await openCatalogDatabase(catalog, 'read')
  return await grantPlan(database, options)
}

/**
 * Runs the statements in one transaction if DDL is transactional; else each one commits by itself and can be repeated.
 */
async function grant(database: SqlDatabase, plan: GrantPlan, report: (sql: string) => void): Promise<void> {
  const oneByOne = !dialectOf(database).transactionalDdl
  const groups = oneByOne ? plan.statements.map((sql) => [sql]) : [plan.statements]
  for (const group of groups) {
    try {
      await database.write(async (transaction) => {
        for (const sql of group) await transaction.script(sql)
      }, REPEATABLE)
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'TARGET_DENIED') throw error
      throw new SluiceError('TARGET_DENIED', 'this login may not grant these rights', {
        where: error.where,
        hint: `run the same command, or the printed statements, as ${plan.by}`,
        cause: error,
      })
    }
    for (const sql of group) report(sql)
  }
}

/** @throws SluiceError BAD_FLAG for an unknown role, NOT_A_CATALOG without a catalog, UNSUPPORTED_URL for a file */
async function grantPlan(reader: SqlReader, options: GrantOptions): Promise<GrantPlan> {
  const dialect = dialectOf(reader)
  if (dialect.grants === undefined)
    throw new SluiceError('UNSUPPORTED_URL', `rights cannot be granted: a catalog in ${reader.dialect} has no roles`, {
      hint: 'limit the access to the file or database by other means',
    })
  return await dialect.grants(reader, options, relationNames(dialect))
}

/**
 * Error: a file has no logins, only permissions.
 * @param title of its system
 * @param alsoNeeded text about other files that must be accessible
 */
function fileHasNoRoles(title: string, alsoNeeded?: string): SluiceError {
  return new SluiceError('UNSUPPORTED_URL', `a ${title} file has no roles to grant rights to`, {
    reason: 'users that may read or write the file may read or write the catalog',
    hint:
      'set the permissions of the file: chown OWNER:GROUP FILE, then chmod 640 FILE for a group that reads or 660 for one that imports' +
      (alsoNeeded === undefined ? '' : `; users who read or import need ${alsoNeeded}`),
  })
}

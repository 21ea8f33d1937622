/**
 * Opens a catalog for one run: checks it, creates it if needed, records the run in its audit if the run writes, and
 * always closes it.
 */
import type { AccessLevel, CatalogRights } from '../../catalog/access-level.ts'
import { auditEnd, auditStart } from '../../catalog/audit.ts'
import { checkCatalog, prepareCatalog } from '../../catalog/catalog.ts'
import { FileIndexes } from '../../catalog/import/indexes.ts'
import { catalogRights } from '../../catalog/rights.ts'
import { exitOfStop } from '../../shared/abort.ts'
import { asSluiceError, SluiceError } from '../../shared/errors.ts'
import { redactText, redactUrl, secretsOfUrl } from '../../shared/redact.ts'
import type { CatalogOptions } from '../../stores/declaration.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import type { Ending, Run } from '../run/run-context.ts'
import { retryFor, type RetryCall } from '../../shared/retry-call.ts'
import { shellQuote } from '../../shared/shell.ts'
import { openCatalogDatabase } from '../run/registry.ts'

const VERBS: Readonly<Record<AccessLevel, string>> = { reader: 'read', importer: 'write', admin: 'create or upgrade' }

/** Opens an existing catalog for reading. Nothing is created or written. */
export async function withCatalog<T>(
  url: string,
  body: (database: SqlDatabase) => Promise<T>,
  options: CatalogOptions = {},
): Promise<T> {
  await using database = await openCatalogDatabase(url, 'read', options)
  try {
    await checkCatalog(database)
  } catch (error) {
    throw await explainDenied(database, error, 'reader')
  }
  return await body(database)
}

/**
 * Explains a TARGET_DENIED with the rights that the login lacks and the command that grants them.
 * @param wants access level that the command needs
 * @returns a better TARGET_DENIED if the login lacks a right; else `thrown`
 */
async function explainDenied(database: SqlDatabase, thrown: unknown, wants: AccessLevel): Promise<unknown> {
  if (!(thrown instanceof SluiceError) || thrown.code !== 'TARGET_DENIED') return thrown
  // If the server refuses this query, too, the original error is reported.
  const rights = await catalogRights(database).catch(() => null)
  const lacked = rights === null ? null : missingFor(rights, wants)
  if (rights === null || lacked === null) return thrown
  const [level, missing] = lacked
  return new SluiceError('TARGET_DENIED', `${rights.login} may not ${VERBS[level]} this catalog`, {
    where: thrown.where,
    reason: `it lacks ${missing.join('; ')}`,
    hint: `as an administrator: sluice grants --database-url ${shellQuote(database.label)} --role ${level} --to ${shellQuote(rights.login)} --apply`,
    cause: thrown,
  })
}

function missingFor({ missing }: CatalogRights, wants: AccessLevel): readonly [AccessLevel, readonly string[]] | null {
  const levels: readonly AccessLevel[] = ['reader', 'importer', 'admin']
  for (const level of levels.slice(0, levels.indexOf(wants) + 1)) {
    if (missing[level].length > 0) return [level, missing[level]]
  }
  return null
}

/** Default of the longest time that a run waits for another program, ms. */
export const WAIT_MS = 10_000

/**
 * Retries while another program has the catalog's file open: only one program can open it.
 * @param waitMs limit for all tries of this `RetryCall` together, ms
 */
export function retryWhileLocked({ clock, interrupt, emit }: Run<'log'>, waitMs: number): RetryCall {
  const onNote = (message: string): void => emit({ type: 'log', level: 'note', message })
  return retryFor('TARGET_BUSY', { clock, waitMs, interrupt, onNote })
}

export type WritableCatalog = { readonly database: SqlDatabase; readonly indexes: FileIndexes }

/**
 * Opens a catalog for writing, creates or upgrades it, and records the command with its result in the audit.
 * @param subject table or folder that the command is about
 * @param patient opens the catalog; may try more than once
 */
export async function withWritableCatalog(
  url: string,
  run: Run,
  subject: string,
  body: (catalog: WritableCatalog) => Promise<Ending>,
  patient: RetryCall = (open) => open(),
): Promise<Ending> {
  await using database = await patient(() => openCatalogDatabase(url, 'write'))
  const { runId, actor, host, tool, clock } = run
  let prepared = false
  try {
    await prepareCatalog(database, clock.now())
    prepared = true
    const command = run.commandLine
    const about = { command, subject: redactUrl(subject) }
    await auditStart(database, { runId, actor, host, process: run.owner, tool, ...about, nowMs: clock.now() })
  } catch (error) {
    throw await explainDenied(database, error, prepared ? 'importer' : 'admin')
  }
  const indexes = new FileIndexes(database)
  // Secrets must not be in the audit, because every reader of the catalog can read it, even years later.
  const secrets = [url, subject].flatMap(secretsOfUrl)
  const record = async (error: SluiceError | null, stopped: boolean): Promise<void> => {
    await auditEnd(database, runId, {
      status: stopped ? 'stopped' : error === null ? 'ok' : 'failed',
      exitCode: stopped ? exitOfStop(run.interrupt) : (error?.exitCode ?? 0),
      nowMs: clock.now(),
      ...(error === null ? {} : { errorCode: error.code, detail: redactText(error.message, secrets) }),
    })
  }
  try {
    const ending = await body({ database, indexes })
    await record(ending.error ?? null, ending.stopped === true)
    return ending
  } catch (thrown) {
    const error = asSluiceError(thrown)
    // The command's own error is thrown, also if the audit cannot record it.
    await record(error, error.kind === 'stopped').catch(() => undefined)
    throw thrown
  }
}

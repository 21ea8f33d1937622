/** A catalog opened for one run: checked or made, audited when it is written, always closed. */
import { auditEnd, auditStart } from '../../catalog/audit.ts'
import { checkCatalog, prepareCatalog } from '../../catalog/catalog.ts'
import { FileIndexes } from '../../catalog/import/indexes.ts'
import { exitOfStop } from '../../shared/abort.ts'
import { asSluiceError, type SluiceError } from '../../shared/errors.ts'
import { redactText, redactUrl, secretsOfUrl } from '../../shared/redact.ts'
import type { CatalogOptions } from '../../stores/declaration.ts'
import type { SqlDatabase } from '../../model/run/sql-port.ts'
import type { Ending, Run } from '../run/run-context.ts'
import { explainDenied } from './denied.ts'
import { patientFor, type Patient } from '../../shared/patient.ts'
import { openCatalogDatabase } from '../run/registry.ts'

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

/** How long a run waits for another program where its operation does not say, ms. */
export const WAIT_MS = 10_000

/** Waits for a program that has the file of a catalog: one at a time may. @param waitMs for all that is tried with it together */
export function whileHeld({ clock, interrupt, emit }: Run<'log'>, waitMs: number): Patient {
  const onNote = (message: string): void => emit({ type: 'log', level: 'note', message })
  return patientFor('TARGET_BUSY', { clock, waitMs, interrupt, onNote })
}

export type WritableCatalog = { readonly database: SqlDatabase; readonly indexes: FileIndexes }

/**
 * Opens a catalog for writing, makes or upgrades it, and records the command with its result in the audit.
 * @param subject table or folder that the command is about
 * @param patient opens it, maybe more than once
 */
export async function withWritableCatalog(
  url: string,
  run: Run,
  subject: string,
  body: (catalog: WritableCatalog) => Promise<Ending>,
  patient: Patient = (open) => open(),
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
  // Whoever may read the catalog reads its audit, years later.
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
    // The command's own failure is what matters; a catalog that cannot even note it says so through that failure.
    await record(error, error.kind === 'stopped').catch(() => undefined)
    throw thrown
  }
}

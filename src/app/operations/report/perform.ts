/** `report RUN`: data of a run from ledger, catalog and the run history of this machine, as one document. */
import { dec } from '../../../model/run/event.ts'
import { renderReport } from '../../../model/run/report/render.ts'
import type { InspectedAt, NotReached, RunReport } from '../../../model/run/report/run-report.ts'
import { isoTime } from '../../../shared/clock.ts'
import { asSluiceError, SluiceError, type ErrorKind } from '../../../shared/errors.ts'
import { redactUrl, redactValue } from '../../../shared/redact.ts'
import { withCatalog } from '../../../engine/lake/catalog-session.ts'
import { knowsRun, readLedger } from '../../../engine/copy/ledger/other-ledgers.ts'
import { hasLedger } from '../../../engine/copy/ledger/schema.ts'
import { openCopyStore } from '../../../engine/copy/open-stores.ts'
import { onSide } from '../../../engine/copy/sides.ts'
import { checkNewFile, writeWhole } from '../../../engine/run/report-file.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import { bookPart } from '../../report/of-book.ts'
import { catalogPart } from '../../report/of-catalog.ts'
import { ledgerPart } from '../../report/of-ledger.ts'
import { queuePart } from '../../report/of-queue.ts'
import type { report, ReportOperation } from './declaration.ts'

/**
 * An unreachable database does not prevent the report: other sources are reported, and the run ends with its error.
 * @throws SluiceError BAD_FLAG for an invalid or unknown run id, or an unwritable file; CONNECT_FAILED … if no other
 * source has the run
 */
export async function performReport(operation: ReportOperation, run: RunOf<typeof report>): Promise<Ending> {
  const { format, overwrite } = operation
  const file = operation.write === '-' ? undefined : operation.write
  if (!/^\d{1,19}$/.test(operation.run) || BigInt(operation.run) >= 2n ** 63n) {
    throw new SluiceError('BAD_FLAG', `${operation.run} is not the id of a run`, {
      hint: 'to list the run ids, use sluice runs',
    })
  }
  if (file !== undefined) await checkNewFile(file, overwrite)
  const found = await gatherParts(operation, run)
  const document = redactValue(found.document)
  const { failure } = found
  const text = renderReport(document, format)
  if (file === undefined) run.emit({ type: 'run.report', format, text })
  else await writeWhole(file, text, overwrite)
  return {
    totals: {
      known: dec(document.looked.filter(({ knows }) => knows).length),
      notReached: dec(document.notReached.length),
    },
    notChecked: 'a report prints what was recorded and compares no rows',
    ...(file === undefined ? {} : { wrote: [file] }),
    ...(failure === null ? {} : { error: failure }),
  }
}

type ReportParts = {
  readonly document: RunReport
  /** Error of the first unreachable source: the report is still written, and the run ends with this error. */
  readonly failure: SluiceError | null
}

async function gatherParts(
  { run: id, to, catalog, connect }: ReportOperation,
  run: RunOf<typeof report>,
): Promise<ReportParts> {
  const runId = BigInt(id)
  const inspected: InspectedAt[] = []
  const notReached: NotReached[] = []
  const notInspectedAt: string[] = []
  const failures: SluiceError[] = []
  const ask = async <T>(what: NotReached['what'], url: string, body: () => Promise<T | null>): Promise<T | null> => {
    const where = redactUrl(url)
    try {
      const part = await body()
      inspected.push({ what, where, knows: part !== null })
      return part
    } catch (thrown) {
      const error = asSluiceError(thrown)
      if (!DATABASE_ERRORS.has(error.kind) || run.interrupt.abort.aborted) throw thrown
      failures.push(error)
      notReached.push({ what, where, code: error.code, message: error.message })
      return null
    }
  }
  const ledger = to === undefined ? null : await ask('ledger', to, async () => await ofLedger(to, runId, run))
  if (to === undefined) notInspectedAt.push('the ledger of a target (--to URL)')
  const audit =
    catalog === undefined ? null : await ask('catalog', catalog, async () => await ofCatalog(catalog, runId, run))
  if (catalog === undefined) notInspectedAt.push('the audit of a catalog (--database-url URL)')
  const book = run.book === undefined ? null : await bookPart(run.book, id)
  if (book === null) notInspectedAt.push('the run history of this machine: none is kept')
  else if (book.trouble !== null) notInspectedAt.push(`the run history of this machine: ${book.trouble}`)
  else inspected.push({ what: 'book', where: run.host, knows: book.part !== null })
  const isKnown = ledger !== null || audit !== null || (book !== null && book.part !== null)
  // Read the queue only if no other source has the run: only shared runs need it, and it may be unavailable.
  const queue =
    isKnown || connect === undefined ? null : await ask('queue', connect, async () => await queuePart(connect, id))
  if (connect === undefined) notInspectedAt.push('the queue of workers (--connect URL)')
  const [failure = null] = failures
  if (!isKnown && queue === null) {
    // The unreachable source may have the run.
    if (failure !== null) throw failure
    throw new SluiceError('BAD_FLAG', `run ${id} was not found`, {
      reason: `these were read: ${inspected.map(({ what, where }) => `the ${what} of ${where}`).join(', ') || 'none'}; these were not: ${notInspectedAt.join('; ') || 'no other source'}`,
      hint: 'to list the runs of this machine, use sluice runs --here; of workers, sluice runs --distributed; of a ledger, sluice runs --to URL; of a catalog, sluice runs --database-url URL',
    })
  }
  notInspectedAt.push('rows of either side', 'how long a run was throttled, which ledgers do not record')
  const document = {
    format: 'sluice-run-report',
    version: 1,
    run: id,
    at: isoTime(run.clock.now()),
    tool: run.tool,
    looked: inspected,
    notReached,
    notLookedAt: notInspectedAt,
    ledger,
    catalog: audit,
    book: book?.part ?? null,
    ...(queue === null ? {} : { queue }),
  } as const
  return { document, failure }
}

/** Kinds of errors of a database or its connection. Other errors are thrown before anything is written. */
const DATABASE_ERRORS: ReadonlySet<ErrorKind> = new Set(['source', 'target', 'state'])

async function ofCatalog(url: string, runId: bigint, run: RunOf<typeof report>) {
  return await withCatalog(url, async (database) => await catalogPart(database, runId, run.owner))
}

async function ofLedger(url: string, runId: bigint, run: RunOf<typeof report>) {
  await using store = await onSide('target', () => openCopyStore(url, { mode: 'read' }))
  await using read = await readLedger(store, knowsRun(runId), run)
  const ledger = read.database
  return (await hasLedger(ledger)) ? await ledgerPart(ledger, runId, run.owner) : null
}

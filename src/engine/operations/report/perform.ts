/** `report RUN`: what the ledger, the catalog and the book of this machine know of a run, as one document. */
import { dec } from '../../../model/event.ts'
import { renderReport } from '../../../model/report/render.ts'
import type { LookedAt, RunReport } from '../../../model/report/run-report.ts'
import { isoTime } from '../../../shared/clock.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { redactUrl, redactValue } from '../../../shared/redact.ts'
import { withCatalog } from '../../catalog-session.ts'
import { hasLedger } from '../../copy/ledger/schema.ts'
import { openCopyStore } from '../../copy/open-stores.ts'
import { onSide } from '../../copy/sides.ts'
import type { Ending, RunOf } from '../../run-context.ts'
import { bookPart } from '../../run-report/of-book.ts'
import { catalogPart } from '../../run-report/of-catalog.ts'
import { ledgerPart } from '../../run-report/of-ledger.ts'
import { checkNewFile, writeWhole } from '../../whole-file.ts'
import type { report as declared, ReportOperation } from './declaration.ts'

/** @throws SluiceError BAD_FLAG for what is no id, for a run that nobody knows, and where the file cannot be written */
export async function report(operation: ReportOperation, run: RunOf<typeof declared>): Promise<Ending> {
  const { format, overwrite } = operation
  const file = operation.write === '-' ? undefined : operation.write
  if (!/^\d{1,19}$/.test(operation.run) || BigInt(operation.run) >= 2n ** 63n) {
    throw new SluiceError('BAD_FLAG', `${operation.run} is no id of a run`, { hint: 'sluice runs lists them' })
  }
  if (file !== undefined) await checkNewFile(file, overwrite)
  const document = redactValue(await gathered(operation, run))
  const text = renderReport(document, format)
  if (file === undefined) run.emit({ type: 'run.report', format, text })
  else await writeWhole(file, text, overwrite)
  return {
    totals: { known: dec(document.looked.filter(({ knows }) => knows).length) },
    notChecked: 'a report tells what was noted, and compares no rows',
    ...(file === undefined ? {} : { wrote: [file] }),
  }
}

async function gathered({ run: id, to, catalog }: ReportOperation, run: RunOf<typeof declared>): Promise<RunReport> {
  const runId = BigInt(id)
  const looked: LookedAt[] = []
  const notLookedAt: string[] = []
  const ledger = to === undefined ? null : await ofLedger(to, runId, run)
  if (to === undefined) notLookedAt.push('the ledger of a target (--to URL)')
  else looked.push({ what: 'ledger', where: redactUrl(to), knows: ledger !== null })
  const audit =
    catalog === undefined
      ? null
      : await withCatalog(catalog, async (database) => await catalogPart(database, runId, run.owner))
  if (catalog === undefined) notLookedAt.push('the audit of a catalog (--database-url URL)')
  else looked.push({ what: 'catalog', where: redactUrl(catalog), knows: audit !== null })
  const book = run.book === undefined ? null : await bookPart(run.book, id)
  if (book === null) notLookedAt.push('the book of this machine: none is kept')
  else if (book.trouble !== null) notLookedAt.push(`the book of this machine: ${book.trouble}`)
  else looked.push({ what: 'book', where: run.host, knows: book.part !== null })
  if (ledger === null && audit === null && (book === null || book.part === null)) {
    throw new SluiceError('BAD_FLAG', `nobody who was asked knows run ${id}`, {
      reason: `asked: ${looked.map(({ what, where }) => `the ${what} of ${where}`).join(', ') || 'nobody'}; not asked: ${notLookedAt.join('; ') || 'nobody else'}`,
      hint: 'sluice runs --here lists the runs of this machine; with --to URL it lists those of a ledger, with --database-url URL those of a catalog',
    })
  }
  notLookedAt.push('rows of either side', 'how long a run was throttled, which no ledger notes')
  return {
    format: 'sluice-run-report',
    version: 1,
    run: id,
    at: isoTime(run.clock.now()),
    tool: run.tool,
    looked,
    notLookedAt,
    ledger,
    catalog: audit,
    book: book?.part ?? null,
  }
}

async function ofLedger(url: string, runId: bigint, run: RunOf<typeof declared>) {
  await using store = await onSide('target', () => openCopyStore(url, { mode: 'read' }))
  await using ledger = await store.ledger()
  return (await hasLedger(ledger)) ? await ledgerPart(ledger, runId, run.owner) : null
}

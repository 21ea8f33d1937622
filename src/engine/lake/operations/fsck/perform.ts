/** `fsck`: compares data files, deletion vectors and footers with the log. Repairs nothing. */
import { recordFsck, type FsckRecord } from '../../../../catalog/fsck-findings.ts'
import { againAfterCleanup } from '../../../../delta/removed-files.ts'
import { asSluiceError } from '../../../../shared/errors.ts'
import { withWritableCatalog } from '../../catalog-session.ts'
import { withSubject } from '../../fsck/subject.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import { Check } from './check.ts'
import type { fsck, FsckOperation } from './declaration.ts'

type FsckRun = RunOf<typeof fsck>

export async function performFsck(operation: FsckOperation, run: FsckRun): Promise<Ending> {
  const once = { ...run, emit: withoutRepeats(run.emit) }
  const check = (): Promise<{ ending: Ending; tableId: string | null; record: Omit<FsckRecord, 'tableId'> }> =>
    withSubject(operation, run, async (subject) => {
      const checking = new Check(operation, subject, once)
      return { ending: await checking.run(), tableId: subject.catalog?.tableId ?? null, record: checking.record() }
    })
  const { ending, tableId, record } = await againAfterCleanup(check, (file) => {
    const message = `another program removed ${file} after the log was listed: the check begins again`
    run.emit({ type: 'log', level: 'note', table: operation.table, message })
  })
  if (tableId === null || operation.catalog === undefined) return ending
  await store(operation.catalog, run, { tableId, ...record })
  return ending
}

/** A check that begins again reports its earlier results only once. */
function withoutRepeats(emit: FsckRun['emit']): FsckRun['emit'] {
  const emitted = new Set<string>()
  return (event) => {
    if (event.type === 'fsck.finding' || event.type === 'fsck.checked') {
      const text = JSON.stringify(event)
      if (emitted.has(text)) return
      emitted.add(text)
    }
    emit(event)
  }
}

/** Stores the findings in the catalog. If this fails, as in a read-only catalog, it only warns. */
async function store(catalog: string, run: FsckRun, record: FsckRecord): Promise<void> {
  try {
    await withWritableCatalog(catalog, run, record.tableId, async ({ database }) => {
      await database.write((transaction) => recordFsck(transaction, run.runId, record))
      return { totals: {} }
    })
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.kind === 'internal' || error.kind === 'stopped') throw thrown
    run.emit({ type: 'log', level: 'warn', message: `findings are not stored in the catalog: ${error.message}` })
  }
}

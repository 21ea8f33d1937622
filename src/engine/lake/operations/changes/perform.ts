/** `changes`: lists every action of the commits after one version, up to another version. */
import { catalogChanges, type ChangeRecord } from '../../../../catalog/query/changes.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import { parseAction } from '../../../../delta/commit-lines.ts'
import type { LogAction } from '../../../../delta/actions.ts'
import { dvId } from '../../../../delta/paths.ts'
import { numRecordsOf } from '../../../../delta/stats.ts'
import { dec, type ChangeEvent } from '../../../../model/run/event.ts'
import { throwIfAborted } from '../../../../shared/abort.ts'
import { readVersion, withTable } from '../../table-source.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { changes, ChangesOperation } from './declaration.ts'

type ChangesRun = RunOf<typeof changes>

export async function performChanges(operation: ChangesOperation, run: ChangesRun): Promise<Ending> {
  const { fromVersion: from, toVersion: to } = operation
  if (from > to) {
    throw new SluiceError('BAD_FLAG', `--from-version ${from} is above --to-version ${to}`, {
      hint: 'exchange the two values',
    })
  }
  const counts = new Map<string, number>()
  const report = (event: ChangeEvent | null): void => {
    if (event === null) return
    counts.set(event.change, (counts.get(event.change) ?? 0) + 1)
    run.emit(event)
  }
  await withTable(operation.table, operation.catalog, { version: to }, run, async (source) => {
    if (source.from === 'catalog') {
      await readVersion(source, async (reader, { tableId, historyFrom }) => {
        if (from < historyFrom) {
          throw new SluiceError(
            'HISTORY_MISSING',
            `the catalog has ${tableId} only from version ${historyFrom} on, so it lacks changes after ${from}`,
            {
              hint: `give --from-version ${historyFrom} or higher`,
            },
          )
        }
        for await (const page of catalogChanges(reader, tableId, from, to)) {
          throwIfAborted(run.interrupt.abort)
          for (const record of page) report(eventOfRecord(record))
        }
      })
      return
    }
    for await (const change of source.table.changes(from, to, run.interrupt.abort)) {
      report(
        eventOf(
          change.version,
          parseAction(change.raw, () => `version ${change.version}`),
        ),
      )
    }
  })
  const totals: Record<string, string> = { from: dec(from), to: dec(to) }
  for (const [change, count] of counts) totals[change] = dec(count)
  return { totals }
}

function eventOfRecord(record: ChangeRecord): ChangeEvent | null {
  if (record.raw !== null) {
    return eventOf(
      record.version,
      parseAction(record.raw, () => `version ${record.version}, line ${record.line}`),
    )
  }
  return {
    type: 'change',
    change: 'added',
    version: dec(record.version),
    path: record.path ?? '',
    ...(record.size === null ? {} : { size: dec(record.size) }),
    ...(record.rows === null ? {} : { rows: dec(record.rows) }),
    ...(record.dvId === null ? {} : { deletionVector: record.dvId }),
    ...(record.dataChange === null ? {} : { dataChange: record.dataChange }),
  }
}

function eventOf(version: number, action: LogAction): ChangeEvent | null {
  const head = { type: 'change', version: dec(version) } as const
  switch (action.kind) {
    case 'add':
    case 'remove': {
      const file = action.kind === 'add' ? action.add : action.remove
      const dv = dvId(file.deletionVector)
      const rows = numRecordsOf(file.stats)
      return {
        ...head,
        change: action.kind === 'add' ? 'added' : 'removed',
        path: file.path,
        ...(typeof file.size === 'number' ? { size: dec(file.size) } : {}),
        ...(rows === null ? {} : { rows: dec(rows) }),
        ...(dv === null ? {} : { deletionVector: dv }),
        ...(typeof file.dataChange === 'boolean' ? { dataChange: file.dataChange } : {}),
      }
    }
    case 'cdc':
      return { ...head, change: 'cdc', path: action.cdc.path, size: dec(action.cdc.size) }
    case 'protocol':
      return { ...head, change: 'protocol', detail: JSON.stringify(action.protocol) }
    case 'metaData':
      return { ...head, change: 'metadata', detail: JSON.stringify(action.metaData) }
    case 'txn':
      return { ...head, change: 'txn', detail: `${action.txn.appId} ${action.txn.version}` }
    case 'domainMetadata':
      return {
        ...head,
        change: 'domain',
        detail: action.domainMetadata.removed
          ? `${action.domainMetadata.domain} removed`
          : action.domainMetadata.domain,
      }
    default:
      return null
  }
}

/** `follow RUN --report`: comparisons, differences and repairs since a stream began. */
import { dec } from '../../../../model/run/event.ts'
import { historyText } from '../../../../model/follow/sign-off-text.ts'
import { readLedger } from '../../../copy/ledger/other-ledgers.ts'
import { openCopyStore } from '../../../copy/open-stores.ts'
import { onSide } from '../../../copy/sides.ts'
import { knowsStream, namedStream } from '../../stream/named-stream.ts'
import { checkReport, isJson, writeReport } from '../../../run/report-file.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import { streamHistory } from '../../sign-off/history.ts'
import type { followReport, FollowReportOperation } from './declaration.ts'

/** @throws SluiceError NO_SUCH_TABLE for a run without a stream, BAD_FLAG if the file cannot be written */
export async function performFollowReport(
  { stream: id, to: url, report }: FollowReportOperation,
  run: RunOf<typeof followReport>,
): Promise<Ending> {
  if (report !== undefined) await checkReport(report)
  await using to = await onSide('target', () => openCopyStore(url, { mode: 'read' }))
  await using read = await readLedger(to, knowsStream(id), run)
  const { database } = read
  const history = await streamHistory(database, await namedStream(database, id, to.label))
  if (report === undefined) run.emit({ type: 'follow.history', history })
  const text = (file: string): string => (isJson(file) ? `${JSON.stringify(history, null, 2)}\n` : historyText(history))
  const wrote = await writeReport(report, text, run.emit)
  const sum = (field: 'mended' | 'undone'): string =>
    dec(history.tables.reduce((all, one) => all + BigInt(one[field]), 0n))
  return {
    totals: { tables: dec(history.tables.length), proofs: dec(history.proofs.length), mended: sum('mended') },
    ...wrote,
  }
}

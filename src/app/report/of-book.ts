/** Data of one run in the run history of this machine; only informative. */
import { existsSync } from 'node:fs'
import type { BookPart } from '../../model/run/report/run-report.ts'
import { descriptionOf, KEPT_RUNS } from '../../model/run/run-history.ts'
import { isoTime } from '../../shared/clock.ts'
import { processStatusOf, thisProcess } from '../../shared/owner.ts'
import { fromFolder } from '../../shared/working-folder.ts'
import { openRunHistory, runHistoryFile, unreadableHistory } from '../../stores/run-history.ts'

/** @property trouble message if the history cannot be read; otherwise null */
type HistoryResult = { readonly part: BookPart | null; readonly trouble: string | null }

/** Text for a run without an end, by the state of its process. */
const PROCESS_STATES = { lives: 'live', ended: 'broken off', unknown: 'on another machine, or not known' } as const

/** @param folder folder of the history; never created */
export async function bookPart(folder: string, runId: string): Promise<HistoryResult> {
  const file = runHistoryFile(folder)
  if (!existsSync(file)) return { part: null, trouble: null }
  try {
    using book = await openRunHistory(file)
    const runs = book.list(KEPT_RUNS)
    const found = runs.find(({ run }) => run === runId)
    if (found === undefined) return { part: null, trouble: null }
    const { kind, source, target, begunAt, end } = found
    const part = {
      kind,
      about: descriptionOf(found.about, new Map(runs.map(({ run, about }) => [run, about]))),
      command: fromFolder(found.commandLine, found.folder),
      source,
      target,
      startedAt: isoTime(begunAt),
      endedAt: end === null ? null : isoTime(end.endedAt),
      status: end?.status ?? PROCESS_STATES[processStatusOf(found.owner, thisProcess())],
      exitCode: end?.exitCode ?? null,
      totals: end?.totals ?? {},
      error: end?.error ?? null,
      curve: book.curve(runId),
    }
    return { part, trouble: null }
  } catch (error) {
    return { part: null, trouble: unreadableHistory(file, error).message }
  }
}

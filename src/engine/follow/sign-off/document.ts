/** The document of a sign-off: verdict, reasons, and what the verdict rests on. */
import { tableText } from '../../../model/copy/column-type.ts'
import type { SignedComparison, SignOff, SignOffCheck } from '../../../model/follow/sign-off.ts'
import { isoTime } from '../../../shared/clock.ts'
import type { PlannedTable } from '../../copy/plan/plan-copy.ts'
import type { Run } from '../../run/run-context.ts'
import type { AnsweredSignOff } from '../ledger/sign-offs.ts'

/** The comparison as the document has it, with the tables of the target. */
export function comparisonOf(answer: AnsweredSignOff, tables: readonly PlannedTable[]): SignedComparison {
  const targets = new Map(tables.map(({ source, targetName }) => [tableText(source.table), tableText(targetName)]))
  return {
    position: answer.position,
    begunAt: isoTime(answer.begunMs),
    endedAt: isoTime(answer.endedMs),
    pauseMs: answer.pauseMs,
    run: answer.run,
    tables: answer.tables.map((one) => ({ ...one, target: targets.get(one.table) ?? one.table })),
  }
}

/** @property others tables of the stream that are not signed off */
type Parts = Pick<SignOff, 'id' | 'at' | 'by' | 'source' | 'target' | 'checks' | 'history' | 'leftBehind'> & {
  readonly run: Pick<Run, 'actor' | 'host' | 'tool' | 'runId'>
  readonly compared: SignedComparison
  readonly others: readonly PlannedTable[]
}

/** The verdict is `given` if all rows are equal, and no check failed. */
export function signOffDocument({ id, at, by, run, others, compared, checks, ...rest }: Parts): SignOff {
  const reasons = [...differences(compared), ...checks.flatMap(failure)]
  return {
    format: 'sluice-sign-off',
    version: 1,
    id,
    verdict: reasons.length === 0 ? 'given' : 'refused',
    reasons,
    at,
    by,
    user: run.actor,
    host: run.host,
    tool: run.tool,
    run: run.runId,
    source: rest.source,
    target: rest.target,
    compared,
    others: others.map(({ source }) => tableText(source.table)),
    checks,
    history: rest.history,
    leftBehind: rest.leftBehind,
  }
}

function differences({ tables }: SignedComparison): readonly string[] {
  return tables.flatMap(({ table, equal, differing, unread }) =>
    equal ? [] : [`${table}: ${differing} rows differ${unread === '0' ? '' : `, ${unread} cannot be read`}`],
  )
}

function failure({ outcome, check, table, found }: SignOffCheck): readonly string[] {
  return outcome === 'failed' ? [`${check}${table === undefined ? '' : ` of ${table}`}: ${found}`] : []
}

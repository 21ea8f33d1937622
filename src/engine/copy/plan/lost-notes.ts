/** What a table loses on its way in ways that no column tells: times to live, options, columns that partitions share, counters. */
import type { TablePlan } from '../../../model/copy/plan.ts'

/** One line each, for the plan and the end of a table; none where nothing is lost. */
export function lostNotes(plan: TablePlan): readonly string[] {
  return [...timesLost(plan), ...livesForced(plan), ...settingsLost(plan), ...shapesLost(plan)]
}

function timesLost({ source, target, columns }: TablePlan): readonly string[] {
  if (source.times === undefined) return []
  if (target.times === undefined)
    return ['write times and times to live do not come along: rows that expire in the source stay in the target']
  const { hidden } = source.times
  const values = columns.filter(({ from, source: { native } }) => !source.key.includes(from) && native !== 'counter')
  // Counters have no time to live.
  if (values.length === 0 && columns.length > source.key.length) return []
  const secret = values.filter(({ from }) => hidden.includes(from)).map(({ from }) => from)
  if (values.length === secret.length) {
    const why = secret.length === 0 ? 'the table has its key alone' : `the server tells none of ${secret.join(', ')}`
    return [`times to live do not come along (${why}): rows never expire in the target unless --ttl says when`]
  }
  if (secret.length === 0) return []
  return [
    `the server tells no write time and no time to live of ${secret.join(', ')}: they get those of the other columns of their row; a row without any other value never expires in the target`,
  ]
}

function livesForced({ target }: TablePlan): readonly string[] {
  const { forced } = target.times ?? {}
  if (forced === undefined) return []
  return [
    `the target removes every row after ${forced} s that is written without a time to live (default_time_to_live): rows that never expire in the source do there`,
  ]
}

function settingsLost({ settingsLeft = [] }: TablePlan): readonly string[] {
  if (settingsLeft.length === 0) return []
  return [`options that do not come along: ${settingsLeft.join(', ')}`]
}

function shapesLost({ columns }: TablePlan): readonly string[] {
  const shared = columns.filter(({ source, target }) => source.static === true && target.static !== true)
  const counters = columns.filter(({ source, target }) => source.native === 'counter' && target.native !== 'counter')
  const names = (some: typeof columns): string => some.map(({ to }) => to).join(', ')
  return [
    ...(shared.length === 0 ? [] : [`static in the source, and copied into every row: ${names(shared)}`]),
    ...(counters.length === 0 ? [] : [`counters become plain numbers: ${names(counters)}`]),
  ]
}

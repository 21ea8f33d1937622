/** Losses of a copy other than columns: TTLs, table options, static columns, counters. */
import { tableText } from '../../../model/copy/column-type.ts'
import { dependencyOf, type LeftBehind } from '../../../model/copy/dependencies.ts'
import type { TablePlan } from '../../../model/copy/plan.ts'
import type { CopyTarget } from '../../../model/copy/target-port.ts'

/** Losses known before the copy begins. */
export function plannedLosses(plan: TablePlan): readonly LeftBehind[] {
  return [
    ...lostTimes(plan),
    ...lostElementTimes(plan),
    ...lifetimesForced(plan),
    ...lostSettings(plan),
    ...lostGeometries(plan),
  ]
}

/** Options that the target refused when it created the table; it was created without them. */
export function settingsRefused({ source, target }: TablePlan, to: CopyTarget): readonly LeftBehind[] {
  const refused = to.refusedSettings?.(target.table) ?? []
  if (refused.length === 0) return []
  return [
    dependencyOf(
      'option',
      refused,
      tableText(source.table),
      'the target refuses it, and the table was created without it',
    ),
  ]
}

function lostTimes({ source, target, columns }: TablePlan): readonly LeftBehind[] {
  if (source.times === undefined) return []
  const table = tableText(source.table)
  if (target.times === undefined) return [dependencyOf('write time', [], table)]
  const { hidden } = source.times
  const values = columns.filter(({ from, source: { native } }) => !source.key.includes(from) && native !== 'counter')
  // Report no lost TTLs for a table of counters: counters have none.
  if (values.length === 0 && columns.length > source.key.length) return []
  const secret = values.filter(({ from }) => hidden.includes(from)).map(({ from }) => from)
  if (values.length === secret.length) {
    const why =
      secret.length === 0 ? 'the table has only key columns' : 'the server does not report the TTL of these columns'
    return [
      dependencyOf('time to live', secret, table, `${why}: rows never expire in the target unless --ttl is given`),
    ]
  }
  return secret.length === 0 ? [] : [dependencyOf('time to live', secret, table)]
}

/** Copied columns whose elements have write times and TTLs on both sides, by their source names. */
export function timedCollections({
  source,
  target,
  columns,
}: Pick<TablePlan, 'source' | 'target' | 'columns'>): readonly string[] {
  if (target.times === undefined) return []
  const { ofElements = [] } = source.times ?? {}
  return columns.flatMap(({ from }) => (ofElements.includes(from) ? [from] : []))
}

function lostElementTimes(plan: TablePlan): readonly LeftBehind[] {
  const copied = timedCollections(plan)
  if (copied.length === 0) return []
  const table = tableText(plan.source.table)
  const elements = dependencyOf('time of an element', copied, table)
  return plan.ownTimes === undefined
    ? [elements, dependencyOf('time to live', copied, table, OF_THEIR_ROW)]
    : [elements]
}

const OF_THEIR_ROW =
  'an older version began this copy and gave collections the write time and time to live of their row; after the copy, run sluice diff --fix --overwrite-newer to give each element its times of the source'

function lifetimesForced({ source, target }: TablePlan): readonly LeftBehind[] {
  const { forced } = target.times ?? {}
  if (forced === undefined) return []
  const means = `the target removes rows without a time to live ${forced} s after they are written (default_time_to_live)`
  return [dependencyOf('endless life', [], tableText(source.table), means)]
}

function lostSettings({ source, settingsLeft: names = [] }: TablePlan): readonly LeftBehind[] {
  return names.length === 0 ? [] : [dependencyOf('option', names, tableText(source.table))]
}

function lostGeometries({ source, columns }: TablePlan): readonly LeftBehind[] {
  const shared = columns.filter(({ source: a, target: b }) => a.static === true && b.static !== true)
  const counters = columns.filter(({ source: a, target: b }) => a.native === 'counter' && b.native !== 'counter')
  const names = (some: typeof columns): readonly string[] => some.map(({ from }) => from)
  return [
    ...(shared.length === 0 ? [] : [dependencyOf('static column', names(shared), tableText(source.table))]),
    ...(counters.length === 0 ? [] : [dependencyOf('counter', names(counters), tableText(source.table))]),
  ]
}

/** Findings for partitioning in place: which phases read the table while it is in use, and which one blocks it. */
import type { InPlaceRequest, InPlaceStatement, OutsideRows } from '../model/partition/in-place-port.ts'
import type { PlanFinding } from '../model/partition/plan-port.ts'
import type { Period } from '../model/calendar/period.ts'

const NAMED = 5

export type InPlacePhases = {
  readonly request: InPlaceRequest
  readonly last: Period
  readonly statements: readonly InPlaceStatement[]
  /** Size of the table without indexes. */
  readonly bytes: bigint
  /** Names of planned tables that other objects already have. */
  readonly taken: readonly string[]
  /** Rows outside the new partitions; null if they were not counted. */
  readonly outside: OutsideRows | null
  readonly pauseLimitMs: number
}

export function phaseFindings(phases: InPlacePhases): readonly PlanFinding[] {
  const { taken, statements } = phases
  return [
    ...(taken.length === 0 ? [] : [takenFinding(taken)]),
    ...rowFindings(phases),
    // If a finding prevents the plan, it has no statements, so there are no steps to report.
    ...(statements.length === 0 ? [] : stepFindings(phases)),
  ]
}

function takenFinding(taken: readonly string[]): PlanFinding {
  return {
    verdict: 'refused',
    about: 'name',
    object: taken.slice(0, NAMED).join(', '),
    detail: 'another object has this name, and a new table or index needs it',
    hint: 'if it is left over from an earlier try, drop it',
  }
}

function rowFindings({ outside, request: { planned, bound }, last }: InPlacePhases): readonly PlanFinding[] {
  const column = planned.column.name
  if (outside === null) {
    const detail = `no index finds rows with NULL in ${column} or with ${bound} or later: the run reads the whole table to count them`
    return [{ verdict: 'not looked', about: 'rows outside', object: column, detail }]
  }
  const { nulls, beyond, latest } = outside
  if (nulls + beyond === 0n) {
    const detail = `every row has a value before ${bound}, the end of ${last.label}`
    return [{ verdict: 'fine', about: 'rows outside', object: column, detail }]
  }
  const found: PlanFinding[] = []
  const one = { verdict: 'refused', object: column } as const
  if (nulls > 0n) {
    const detail = `${nulls} with NULL: a range partition cannot hold them`
    found.push({ ...one, about: 'rows without a time', detail, hint: 'give them a time' })
  }
  if (beyond > 0n) {
    const until = latest === null ? ', all of them infinite' : `, the latest of them that is not infinite at ${latest}`
    const detail = `${beyond} at ${bound} or later${until}: the first partition ends there`
    found.push({
      ...one,
      about: 'rows outside',
      detail,
      hint: 'give them another time, or name a later period with --last',
    })
  }
  return found
}

function stepFindings({ request, statements, bytes, pauseLimitMs }: InPlacePhases): readonly PlanFinding[] {
  const builds = statements.filter(({ step, isDone }) => step === 'index' && !isDone)
  const isValid = statements.some(({ step, isDone }) => step === 'validate' && isDone)
  const read = `reads ${sizeText(bytes)}`
  const one = { verdict: 'changes' } as const
  return [
    ...(builds.length === 0
      ? []
      : [
          {
            ...one,
            about: 'index builds',
            object: String(builds.length),
            detail: `built one after the other while other sessions write; each ${read} twice`,
          },
        ]),
    ...(isValid ? [] : [{ ...one, about: 'validation', detail: `${read} once, while other sessions read and write` }]),
    {
      ...one,
      about: 'rows after the first partition',
      object: request.planned.column.name,
      detail: `until the cutover, the check refuses rows at ${request.bound} or later, and rows without a time`,
      hint: 'if rows with such times are written, name a later period with --last; --revert also removes the check',
    },
    {
      ...one,
      about: 'pause',
      detail: `other sessions wait for one transaction, independent of the size of the table: for ${pauseLimitMs} ms at most; if it takes longer, nothing is changed and the run tries again`,
    },
  ]
}

function sizeText(bytes: bigint): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  let [size, unit] = [Number(bytes), 0]
  for (; size >= 1000 && unit < units.length - 1; unit++) size /= 1000
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`
}

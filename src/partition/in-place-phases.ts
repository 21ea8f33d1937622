/** Findings for partitioning in place: which phases read the table while it is in use, and which one blocks it. */
import type { InPlaceRequest, InPlaceStatement, Outside } from '../model/partition/in-place-port.ts'
import type { PlanFinding } from '../model/partition/plan-port.ts'
import type { Period } from '../model/calendar/period.ts'

const NAMED = 5

export type InPlacePhases = {
  readonly request: InPlaceRequest
  readonly last: Period
  readonly statements: readonly InPlaceStatement[]
  /** Size of the table without indexes. */
  readonly bytes: bigint
  /** Names for new tables that other objects already have. */
  readonly taken: readonly string[]
  /** Rows outside the new partitions; null if they were not counted. */
  readonly outside: Outside | null
  readonly budgetMs: number
}

export function phaseFindings(phases: InPlacePhases): readonly PlanFinding[] {
  const { taken, statements } = phases
  return [
    ...(taken.length === 0 ? [] : [takenFinding(taken)]),
    ...rowFindings(phases),
    // There is no plan if something prevents it.
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
    const detail = `no index finds rows without a ${column} or rows from ${bound} on: the run counts them first, and reads the table for that`
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
    const detail = `${nulls} without a value: a range partition does not take them`
    found.push({ ...one, about: 'rows without a time', detail, hint: 'give them a time' })
  }
  if (beyond > 0n) {
    const until = latest === null ? ', all of them infinite' : `, the latest of them that is not infinite at ${latest}`
    const detail = `${beyond} at ${bound} or later${until}: the past ends there`
    found.push({
      ...one,
      about: 'rows outside',
      detail,
      hint: 'give them another time, or let the past end later with --last PERIOD',
    })
  }
  return found
}

function stepFindings({ request, statements, bytes, budgetMs }: InPlacePhases): readonly PlanFinding[] {
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
      about: 'rows behind the past',
      object: request.planned.column.name,
      detail: `from the check until the new table has the name, a row at ${request.bound} or later is refused, and so is one without a time`,
      hint: 'if rows are written so far ahead, let the past end later with --last PERIOD; --revert also removes the check',
    },
    {
      ...one,
      about: 'pause',
      detail: `other sessions wait for one transaction, independent of the size of the table: for ${budgetMs} ms at most, else nothing is changed and it is tried again`,
    },
  ]
}

function sizeText(bytes: bigint): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  let [size, unit] = [Number(bytes), 0]
  for (; size >= 1000 && unit < units.length - 1; unit++) size /= 1000
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`
}

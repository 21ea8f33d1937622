/** Cutover checks: conditions that must hold before two tables are switched. */
import type { SwitchFinding } from '../../../model/follow/switch-port.ts'
import type { CutoverGateEvent } from '../../../model/follow/cutover-events.ts'

export type CutoverCheck = Readonly<Omit<CutoverGateEvent, 'type' | 'table'>>

/** Reports each check when its state changes, and keeps the latest state. */
export class CutoverChecks {
  readonly report: (gate: CutoverCheck, table: string | null) => void
  readonly #known = new Map<string, CutoverCheck>()
  /** The table's public name; null until it is known. */
  table: string | null = null

  constructor(report: (gate: CutoverCheck, table: string | null) => void) {
    this.report = report
  }

  set(gate: CutoverCheck): void {
    const before = this.#known.get(gate.name)
    this.#known.set(gate.name, gate)
    if (before?.state !== gate.state) this.report(gate, this.table)
  }

  get all(): readonly CutoverCheck[] {
    return [...this.#known.values()]
  }

  /** The first check that prevents the cutover; null if all are met. */
  get firstRefused(): CutoverCheck | null {
    return (
      this.all.find(({ state }) => state === 'refused') ?? this.all.find(({ state }) => state === 'waiting') ?? null
    )
  }
}

/** @param findings of the store */
export function findingsCheck(findings: readonly SwitchFinding[]): CutoverCheck {
  const count = (verdict: SwitchFinding['verdict']): number => findings.filter((one) => one.verdict === verdict).length
  const [first, ...more] = findings.filter(({ verdict }) => verdict === 'refused')
  if (first === undefined) {
    return {
      name: 'findings',
      state: 'ok',
      detail: `${count('made')} objects will be recreated, ${count('left')} stay with the old table`,
    }
  }
  const others = more.length === 0 ? '' : `, and ${more.length} more`
  return {
    name: 'findings',
    state: 'refused',
    detail: `${first.about}${first.object === undefined ? '' : ` ${first.object}`}: ${first.detail}${others}`,
    ...(first.hint === undefined ? {} : { hint: first.hint }),
  }
}

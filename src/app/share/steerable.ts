/** Which requests a shared run can obey, by the kind of its operation. The command line and the UI ask here. */
import { declarationOf } from '../operations/facts.ts'
import type { OperationKind } from '../operations/list.ts'

export type RunRequest = 'pause' | 'rate' | 'workers'

const RATED: ReadonlySet<OperationKind> = new Set<OperationKind>(['copy', 'follow', 'partition-run'])
const WITH_WORKERS: ReadonlySet<OperationKind> = new Set<OperationKind>(['copy', 'partition-run'])

/** True if a run of this kind obeys the request, also after it has begun. */
export function obeys(kind: OperationKind, request: RunRequest): boolean {
  switch (request) {
    case 'pause':
      return RATED.has(kind) || declarationOf(kind).pauses === true
    case 'rate':
      return RATED.has(kind)
    case 'workers':
      return WITH_WORKERS.has(kind)
  }
}

/** All that a run of this kind accepts, for a hint. */
export function acceptedText(kind: OperationKind): string {
  const numbers = (['rate', 'workers'] as const).filter((request) => obeys(kind, request))
  return `it accepts ${[...numbers, ...(obeys(kind, 'pause') ? ['pause', 'resume'] : []), 'stop'].join(', ')}`
}

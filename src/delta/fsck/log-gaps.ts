/** Commits that are gone from the middle of a log. */
import { gapText, type Gaps } from '../gaps.ts'
import { commitName, logPathOf } from '../log-path.ts'
import type { Finding } from './finding.ts'

/** A finding where versions can no longer be read, and a note where only what a commit did is gone. */
export function gapFindings(gaps: Gaps): readonly Finding[] {
  const detail = gapText(gaps)
  const [first] = gaps.missing
  if (detail === null || first === undefined) return []
  const level = gaps.lost.length > 0 ? 'finding' : 'note'
  return [{ level, kind: 'commit-missing', path: logPathOf(commitName(first.from)), detail }]
}

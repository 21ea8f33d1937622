/**
 * The order of a run: the longest first, in the order of their list, then large files before small ones, as vitest does it where it knows no times.
 * A long one at the very end would keep one worker busy while the others have nothing left.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { CI_EACH_DAY, LONGEST } from './suites.ts'

const ORDER: readonly string[] = [...LONGEST, ...CI_EACH_DAY]

/** The place of a file in the lists; behind all of them where it stands in none. */
function place({ moduleId }: TestSpecification): number {
  const at = ORDER.findIndex((name) => moduleId.endsWith(`/${name}`))
  return at === -1 ? ORDER.length : at
}

export default class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- a method of vitest's that gives a new array
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => place(a) - place(b))
  }
}

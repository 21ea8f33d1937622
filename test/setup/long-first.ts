/**
 * The order of a run: long files first, in the order of their list, then large files before small ones, as vitest does
 * without known times. A long file at the end would keep one worker busy while the others are idle.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { CI_EACH_DAY, LONGEST } from './suites.ts'

const ORDER: readonly string[] = [...LONGEST, ...CI_EACH_DAY]

/** Index of a file in the lists; after all of them if it is in none. */
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

/**
 * The order of a run: the long files in the order of their list, each followed by some of the others, then the rest of
 * these; among the others large files before small ones, as vitest does without known times. Long files wait for clocks
 * and servers: several of them at once would leave the cores idle, and one at the end keeps one worker busy alone.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { CI_EACH_DAY, LONGEST } from './suites.ts'

const ORDER: readonly string[] = [...LONGEST, ...CI_EACH_DAY]
/** Part of the other files that run between long ones. */
const BETWEEN = 0.6

/** Index of a file in the lists; -1 if it is in none. */
const place = ({ moduleId }: TestSpecification): number => ORDER.findIndex((name) => moduleId.endsWith(`/${name}`))

export default class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- a method of vitest's that gives a new array
    const sorted = await super.sort(files)
    const long = sorted.filter((file) => place(file) !== -1).toSorted((a, b) => place(a) - place(b))
    const others = sorted.filter((file) => place(file) === -1)
    const each = long.length === 0 ? 0 : Math.floor((others.length * BETWEEN) / long.length)
    return [
      ...long.flatMap((file, i) => [file, ...others.slice(i * each, (i + 1) * each)]),
      ...others.slice(long.length * each),
    ]
  }
}

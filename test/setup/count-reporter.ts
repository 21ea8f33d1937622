/**
 * Ends a test run with `N passed, N failed` or `N passed, N failed, N skipped`. vitest's own summary counts the tests
 * of a file whose `beforeAll` threw as skipped and nothing as failed; here every result other than a pass or an
 * intended skip is a failure.
 */
import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node'

/** More failed files than a user would name to run them again. */
const MANY = 50
const SHOWN = 60
/** Most characters of an error's first line. */
const MESSAGE = 300

export type Counts = { passed: number; failed: number; skipped: number }

/** Counts tests, and as failures also: modules that did not load or contain no test, failed hooks, unhandled errors. */
export function countModules(modules: readonly TestModule[], unhandledErrors: number): Counts {
  const counts: Counts = { passed: 0, failed: unhandledErrors, skipped: 0 }
  for (const module of modules) {
    let tests = 0
    for (const test of module.children.allTests()) {
      tests++
      const { state } = test.result()
      if (state === 'passed') counts.passed++
      else if (state === 'skipped') counts.skipped++
      else counts.failed++ // pending: the run ended before the test did
    }
    let broken = module.errors().length
    for (const suite of module.children.allSuites()) broken += suite.errors().length
    counts.failed += broken
    if (tests === 0 && broken === 0) counts.failed++
  }
  return counts
}

/** Tests that passed only after a retry, each with its first error. */
export function unsteady(modules: readonly TestModule[]): readonly string[] {
  return modules.flatMap((module) =>
    [...module.children.allTests('passed')]
      .filter((test) => (test.diagnostic()?.retryCount ?? 0) > 0)
      .map((test) => {
        const first = test.result()?.errors?.[0]
        const why = first === undefined ? '' : `: ${first.stack ?? first.message}`
        return `${module.relativeModuleId} > ${test.fullName}${why}`
      }),
  )
}

/** Files with a failure. */
export function failedFiles(modules: readonly TestModule[]): readonly string[] {
  return [...new Set(modules.filter((module) => countModules([module], 0).failed > 0).map((module) => module.moduleId))]
}

/** One line per failure with the start of its error, for readers of the end of a long output. */
export function failures(modules: readonly TestModule[]): readonly string[] {
  return modules.flatMap((module) => [
    ...module.errors().map((error) => `${module.relativeModuleId}: ${firstLine(error.message)}`),
    ...[...module.children.allSuites()].flatMap((suite) =>
      suite.errors().map((error) => `${module.relativeModuleId} > ${suite.fullName}: ${firstLine(error.message)}`),
    ),
    ...[...module.children.allTests('failed')].map(
      (test) => `${module.relativeModuleId} > ${test.fullName}: ${firstLine(test.result().errors?.[0]?.message ?? '')}`,
    ),
  ])
}

const firstLine = (text: string): string => (text.split('\n', 1)[0] ?? '').slice(0, MESSAGE)

/** The slowest files, with the seconds of their tests and hooks, slowest first: candidates for making a run shorter. */
export function slowest(modules: readonly TestModule[], count: number): readonly string[] {
  return modules
    .map((module) => ({ module, seconds: Math.round(module.diagnostic().duration / 1000) }))
    .toSorted((a, b) => b.seconds - a.seconds)
    .slice(0, count)
    .map(({ module, seconds }) => `${seconds} s: ${module.relativeModuleId} (${module.project.name})`)
}

/** The last line that `.ci/run` requires. */
export function countLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`
}

export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[], reason: TestRunEndReason): void {
    const counts = countModules(modules, unhandledErrors.length)
    if (counts.failed === 0 && (reason !== 'passed' || modules.length === 0)) counts.failed++
    if (counts.failed > 0) process.exitCode = 1
    if (!process.env['SLUICE_TEST_CI'] && !process.env['SLUICE_TEST_ALL'] && modules.length > 1)
      process.stdout.write('the longer suites are left to .ci/run; SLUICE_TEST_CI=all runs them here too\n')
    if (process.env['SLUICE_TEST_CI'] === '1' && !process.env['SLUICE_TEST_ALL'] && modules.length > 1)
      process.stdout.write('most of the longest suites are left to other days; SLUICE_TEST_CI=all runs them all\n')
    if (process.env['SLUICE_TEST_CI'] && modules.length > MANY)
      process.stdout.write(`the files that took longest:\n${slowest(modules, SHOWN).join('\n')}\n`)
    for (const name of unsteady(modules)) process.stdout.write(`passed only at the second try: ${name}\n`)
    for (const line of failures(modules)) process.stdout.write(`failed: ${line}\n`)
    // `.ci/run` runs these files once more by themselves.
    const names = process.env['SLUICE_FAILED_FILES']
    if (names && unhandledErrors.length === 0) writeFileSync(names, failedFiles(modules).join('\n'))
    process.stdout.write(`\n${countLine(counts)}\n`)
  }
}

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    globalSetup: ['test/setup/compile.ts', 'test/setup/run-folder.ts'],
    setupFiles: ['test/setup/own-surroundings.ts'],
    // Native modules and process.env belong to a process, not to a thread.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
    // The counting one last: the line it prints ends the run.
    reporters: ['default', './test/setup/count-reporter.ts'],
  },
})

/** `npm run make-lake`: writes a Delta lake for tests and measurements. Its flags are in scripts/lake/options.mjs. */
import { generateLake } from './lake/generate.mjs'
import { lakeOptions, USAGE, UsageError } from './lake/options.mjs'

try {
  const options = lakeOptions(process.argv.slice(2))
  if (options === 'help') process.stdout.write(USAGE)
  else await generateLake(options)
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  process.stderr.write(`${error.message}\n\n${USAGE}`)
  process.exitCode = 2
}

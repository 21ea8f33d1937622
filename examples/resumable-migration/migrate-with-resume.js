#!/usr/bin/env node
/**
 * `node migrate-with-resume.js`: one table of PostgreSQL into Cloudflare D1, as the guide's environment variables say (DATABASE_URL,
 * CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID, D1_DATABASE_ID, TABLE_NAME, CHECKPOINT_SIZE, BATCH_SIZE, RESUME_MODE). Whatever stands behind it are
 * flags of `sluice copy`, such as --dry-run or --max-runtime 170m.
 */
import process from 'node:process'

process.env.TABLE_NAME ||= 'coordinate_speed_new'

/** As a dependency, and in a clone of sluice without `npm install` the one that this folder is part of. */
function entry() {
  try {
    return import.meta.resolve('sluice/dist/cli/launch.js')
  } catch {
    return new URL('../../dist/cli/launch.js', import.meta.url).href
  }
}

// The guide's script prints a line a checkpoint.
const verbose = process.argv.includes('--quiet') ? [] : ['--verbose']
// In this process, so that signals reach the copy and its exit code is this one's.
const { launch } = await import(entry())
await launch(['copy', ...verbose, ...process.argv.slice(2)])

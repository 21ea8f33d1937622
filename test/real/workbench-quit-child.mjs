/**
 * Opens a lake as the UI does, and closes it while it is still being read: `node workbench-quit-child.mjs LAKE CATALOG
 * MS`.
 */
import { openWorkbench } from '../../build/app/thread/threaded-workbench.js'

const [lake, catalog, ms] = process.argv.slice(2)
const workbench = await openWorkbench({ lake, catalog, tool: 'test', actor: 'tester', host: 'here' })
const query = /** @type {const} */ ({ asOf: {}, where: '', sort: 'path', descending: false, from: 0, count: 10 })
const rows = await workbench.tables()
for (const { key } of rows) void workbench.files(key, query).catch(() => undefined)
await new Promise((resolve) => setTimeout(resolve, Number(ms)))
await workbench[Symbol.asyncDispose]()
// As the program does it after its last output.
setTimeout(() => process.exit(), 100).unref()

/**
 * What `npm start` runs: without words the demo, with one path the demo of that lake, and else the program as it is.
 */
import { existsSync } from 'node:fs'
import process from 'node:process'
import { commandNamed } from './command-list.ts'
import { launch } from './launch.ts'

const words = process.argv.slice(2)
const [first] = words
const onlyPath = first !== undefined && words.length === 1 && commandNamed(first) === null && existsSync(first)

await launch(first === undefined ? ['demo'] : onlyPath ? ['demo', first] : words)

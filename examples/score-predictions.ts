/**
 * BIRD's execution accuracy from the library.
 *
 *   npx tsx examples/score-predictions.ts bird/dev predictions.json
 */
import { ExecutionAccuracy, evaluatePredictions, openBird, readPredictions } from "lse/bird";

const [folder = "", file = ""] = process.argv.slice(2);
const data = openBird(folder);
await using accuracy = new ExecutionAccuracy(data, 30_000);
const { ex, correct, total, difficulties } = await evaluatePredictions(readPredictions(file, data), accuracy);
for (const [level, score] of Object.entries(difficulties)) console.log(`${level}: ${score.ex.toFixed(2)} %`);
console.log(`all: ${ex.toFixed(2)} % (${correct} of ${total})`);

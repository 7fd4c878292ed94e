#pragma once

#include "cli/command/command.h"

namespace enigma::cli {

// Each adds one command, with its flags and what it does, below `root`.
void AddUp(Command& root);
void AddCoordinator(Command& root);
void AddWorker(Command& root);
void AddNodes(Command& root);
void AddModels(Command& root);
void AddPlan(Command& root);
void AddLoad(Command& root);
void AddUnload(Command& root);
void AddGenerate(Command& root);
void AddChat(Command& root);
void AddDescribe(Command& root);
void AddRoute(Command& root);
void AddSpecialists(Command& root);
void AddTokenize(Command& root);
void AddTrain(Command& root);
void AddJobs(Command& root);
void AddTrainTokenizer(Command& root);
void AddData(Command& root);
void AddBench(Command& root);
void AddEval(Command& root);
void AddToken(Command& root);
void AddKeys(Command& root);
void AddDoctor(Command& root);
void AddOptions(Command& root);

// Under `enigma nodes`.
void AddNodesRemove(Command& nodes);

// Commands under `enigma data`.
void AddDataCode(Command& data);
void AddDataMath(Command& data);
void AddDataScenes(Command& data);

// Commands under `enigma eval`.
void AddEvalCaption(Command& eval);
void AddEvalCode(Command& eval);
void AddEvalMath(Command& eval);
void AddEvalPerplexity(Command& eval);
void AddEvalRouter(Command& eval);

// Commands under `enigma jobs`.
void AddJobsWatch(Command& jobs);
void AddJobsChanges(Command& jobs);  // cancel, resume, rm

// Commands under `enigma keys`.
void AddKeysCreate(Command& keys);
void AddKeysRevoke(Command& keys);

// Commands under `enigma models`.
void AddModelsExport(Command& models);
void AddModelsImport(Command& models);
void AddModelsInspect(Command& models);
void AddModelsQuantize(Command& models);
void AddModelsSynth(Command& models);
void AddModelsRemove(Command& models);

}  // namespace enigma::cli

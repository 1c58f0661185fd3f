package classify
import ("testing";"os";"strings";"context";"fmt";"time";"math")
func load(p string) (e []Example){ b,_:=os.ReadFile(p); for _,l:=range strings.Split(strings.TrimSpace(string(b)),"\n"){a,c,_:=strings.Cut(l,"\t"); e=append(e,Example{c,a})}; return}
func acc(m *Model, e []Example) float64 { r:=0; for _,x:=range e { if m.Predict(x.Text).Label==x.Label {r++}}; return float64(r)/float64(len(e))}
func TestZZ(t *testing.T){
 for _,o:=range []Options{{},{MinDF:1},{C:0.3},{C:3},{C:10},{C:1,MinDF:3}} {
  s:=0.0; var each []string
  for i:=range 5 { m,err:=Train(context.Background(), load(fmt.Sprintf("/tmp/b_tr%d.tsv",i)),o); if err!=nil{t.Fatal(err)}; a:=acc(m,load(fmt.Sprintf("/tmp/b_te%d.tsv",i))); s+=a/5; each=append(each,fmt.Sprintf("%.3f/%.3f",a,m.Report().ECE))}
  t.Logf("%+v %.4f %v",o,s,each)
 }
}
func TestZZFull(t *testing.T){
 d:=load("/tmp/b_full.tsv")
 var tr,te []Example; for i,x:=range d { if i%5==0 {te=append(te,x)} else {tr=append(tr,x)}}
 o,_:=Options{}.validate(len(tr)); ds,_:=newDataset(tr,o)
 t0:=time.Now(); c:=newCorpus(ds.texts,2,o.MaxFeatures,2); t1:=time.Now()
 all:=make([]int,len(tr)); for i:=range all{all[i]=i}
 m,_:=fit(context.Background(),c,ds,all,o); m.temperature=1; m.index(); t2:=time.Now()
 t.Log(len(tr),len(c.keys),"corpus",t1.Sub(t0),"fit",t2.Sub(t1),"acc",acc(m,te))
 m.labels=ds.labels; m.version="x"; b,_:=m.MarshalBinary(); t.Log(len(b))
}
func TestZZCV(t *testing.T){
 b,_:=os.ReadFile("/tmp/b_all.tsv"); _=b
 d:=load("/tmp/b_all.tsv"); t0:=time.Now()
 m,err:=Train(context.Background(),d,Options{}); if err!=nil{t.Fatal(err)}
 r:=m.Report(); t.Log(time.Since(t0),len(m.keys),r.N,r.Distinct,r.Accuracy,r.ECE,r.Coverage,r.Precision,r.Warnings)
}
func bal(m *Model, e []Example) float64 { n,r:=map[string]float64{},map[string]float64{}; for _,x:=range e { n[x.Label]++; if m.Predict(x.Text).Label==x.Label {r[x.Label]++}}; s:=0.0; for l:=range n { s+=r[l]/n[l]}; return s/float64(len(n))}
func TestZZBal(t *testing.T){
 for _,per:=range []int{5,10,30,60} { for _,df:=range []int{1,2} {
  s,b:=0.0,0.0; k:=0; for i:=range 3 {
   tr:=load(fmt.Sprintf("/tmp/b_tr%d_%d.tsv",per,i)); te:=load(fmt.Sprintf("/tmp/b_te%d_%d.tsv",per,i))
   o,_:=Options{MinDF:df}.validate(len(tr)); ds,err:=newDataset(tr,o); if err!=nil{t.Fatal(err)}
   c:=newCorpus(ds.texts,df,o.MaxFeatures,2); all:=make([]int,len(tr)); for i:=range all{all[i]=i}
   m,_:=fit(context.Background(),c,ds,all,o); m.temperature=1; m.index(); s+=acc(m,te)/3; b+=bal(m,te)/3; k=len(tr) }
  t.Logf("per %d n %d minDF %d acc %.4f balanced %.4f",per,k,df,s,b) } }
}
func TestZZCal(t *testing.T){
 for _,per:=range []int{10,30} { for i:=range 3 {
   m,err:=Train(context.Background(), load(fmt.Sprintf("/tmp/b_tr%d_%d.tsv",per,i)),Options{}); if err!=nil{t.Fatal(err)}
   te:=load(fmt.Sprintf("/tmp/b_te%d_%d.tsv",per,i))
   at:=map[string]int{}; for j,l:=range m.labels{at[l]=j}
   var held []scored
   for _,e:=range te { s:=m.borrow(); s.text.reset(e.Text); sc:=append([]float32{},m.bias...); m.addScores(s.weigh(m),sc); m.giveBack(s); held=append(held,scored{sc,at[e.Label],0}) }
   best:=fitTemperature(held)
   t.Logf("per %d T %.4f ECE %.4f report %.4f | T oracle nll %.4f ECE %.4f",per,m.temperature,expectedCalibrationError(judge(held,m.temperature)),m.report.ECE,best,expectedCalibrationError(judge(held,best)))
   for T:=0.06;T<0.2;T+=0.01 { t.Logf("   T %.3f ECE %.4f",T,expectedCalibrationError(judge(held,T))) }
   if i==0 { var pr,k,n [10]float64; for _,v:=range judge(held,m.temperature){ b:=min(int(v.p*10),9); pr[b]+=v.p;n[b]++; if v.right{k[b]++}}; for b:=range pr { t.Logf("   bin %d n %v mean p %.3f acc %.3f",b,n[b],pr[b]/n[b],k[b]/n[b]) } }
 }}
}
func TestZZTweets(t *testing.T){
 for _,f:=range []string{"tweets","amazonReviewSnippets"} {
 b,_:=os.ReadFile("/work/shared/data/ai/vader/groundtruth/"+f+"_GroundTruth.txt"); var sx,sy,xx,yy,xy,n float64; right:=0
 for _,l:=range strings.Split(strings.TrimSpace(string(b)),"\n") { p:=strings.Split(l,"\t"); var x float64; fmt.Sscan(p[1],&x); s:=Sentiment(p[2]); y:=s.Compound; n++; sx+=x;sy+=y;xx+=x*x;yy+=y*y;xy+=x*y
  if (x>0)==(y>0) {right++} }
 t.Log(f,n,(n*xy-sx*sy)/ (math.Sqrt(n*xx-sx*sx)*math.Sqrt(n*yy-sy*sy)), float64(right)/n)
 } }
